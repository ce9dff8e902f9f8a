-- Announces for wrk: one of a thousand torrents, a random peer.
-- The torrents are those that tracker.sh puts on opentracker's white list.
local requests = {}
local turn = 0

local function escaped(bytes)
  return (bytes:gsub(".", function(byte) return string.format("%%%02X", byte:byte()) end))
end

local function random_bytes(count)
  local bytes = {}
  for i = 1, count do bytes[i] = string.char(math.random(0, 255)) end
  return table.concat(bytes)
end

function init()
  math.randomseed(1)
  -- Made before the load starts, because wrk and tracker share the machine.
  for i = 1, 20000 do
    local info_hash = string.format("%020d", math.random(1, 1000))
    local path = "/announce?info_hash=" .. info_hash ..
      "&peer_id=" .. escaped("-OL0001-" .. random_bytes(12)) ..
      "&port=" .. math.random(1025, 65000) ..
      "&uploaded=0&downloaded=0&left=" .. math.random(0, 1) * 1000000 ..
      "&compact=1&numwant=50&event=started"
    requests[i] = wrk.format("GET", path)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function response(status, _, body)
  if status ~= 200 or body:find("failure reason", 1, true) then
    io.stderr:write("not served: " .. body .. "\n")
    os.exit(1)
  end
end
