use overlays::Stream;
use proptest::prelude::*;

use super::*;

fn graph(nodes: u32, links: &[(u32, u32)]) -> OverlayGraph {
    let mut graph = OverlayGraph::new(nodes);
    for node in 0..nodes {
        graph.add(node, links.iter().filter(|link| link.0 == node).map(|link| link.1));
    }
    graph
}

fn ring(nodes: u32) -> OverlayGraph {
    let links: Vec<_> = (0..nodes).map(|n| (n, (n + 1) % nodes)).collect();
    graph(nodes, &links)
}

fn figures(graph: &OverlayGraph) -> Figures {
    graph.figures(&mut Stream::Topology.rng(1))
}

#[test]
fn an_empty_graph_and_a_lone_node() {
    let none = figures(&OverlayGraph::new(0));
    assert_eq!((none.nodes, none.links, none.components, none.strong_components), (0, 0, 0, 0));
    assert_eq!((none.mean_path, none.reachable, none.clustering), (None, None, None));
    let lone = figures(&graph(1, &[(0, 0)]));
    assert_eq!((lone.nodes, lone.links, lone.components, lone.diameter), (1, 0, 1, 0));
    assert_eq!((lone.mean_path, lone.reachable, lone.clustering), (None, None, Some(0.0)));
}

#[test]
fn a_directed_ring() {
    let f = figures(&ring(10));
    assert_eq!((f.nodes, f.links, f.stale_links), (10, 10, 0));
    assert_eq!((f.components, f.largest_component), (1, 10));
    assert_eq!((f.strong_components, f.largest_strong_component), (1, 10));
    assert_eq!((f.diameter, f.paths_are_exact, f.sources), (9, true, 10));
    // (1 + 2 + ... + 9) / 9.
    assert_eq!((f.mean_path, f.reachable), (Some(5.0), Some(1.0)));
    assert_eq!((f.out_degree.min(), f.out_degree.max()), (Some(1), Some(1)));
    assert_eq!(f.clustering, Some(0.0));
}

#[test]
fn a_star_that_the_centre_does_not_know() {
    let f = figures(&graph(6, &[(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]));
    assert_eq!((f.components, f.strong_components, f.diameter), (1, 6, 1));
    assert_eq!((f.in_degree.max(), f.out_degree.max()), (Some(5), Some(1)));
    assert_eq!(f.in_degree.bars().collect::<Vec<_>>(), [(0, 5), (5, 1)]);
    assert_eq!((f.mean_path, f.reachable), (Some(1.0), Some(5.0 / 30.0)));
}

#[test]
fn two_components_and_a_node_that_is_down() {
    let mut graph = OverlayGraph::new(3);
    graph.add(0, [1, 1, 1, 7, 7]);
    graph.add(1, [0]);
    graph.add(4, [5, 2]);
    graph.add(5, []);
    let f = figures(&graph);
    assert_eq!((f.nodes, f.links, f.stale_links), (4, 3, 2));
    assert_eq!((f.components, f.largest_component), (2, 2));
    assert_eq!((f.strong_components, f.largest_strong_component), (3, 2));
    assert_eq!(f.reachable, Some(3.0 / 12.0));
}

#[test]
fn clustering_of_known_graphs() {
    let triangle = graph(3, &[(0, 1), (1, 2), (2, 0)]);
    assert_eq!(figures(&triangle).clustering, Some(1.0));
    // Watts and Strogatz: a ring lattice with k = 4 has 3(k-2) / 4(k-1) = 1/2.
    let links: Vec<_> = (0..20).flat_map(|n| [(n, (n + 1) % 20), (n, (n + 2) % 20)]).collect();
    let lattice = figures(&graph(20, &links));
    assert_eq!((lattice.clustering, lattice.clustering_is_exact), (Some(0.5), true));
    // A triangle with a tail: 1, 1, 1/3 and 0.
    let kite = graph(4, &[(0, 1), (1, 2), (2, 0), (2, 3)]);
    let clustering = figures(&kite).clustering.unwrap();
    assert!((clustering - (1.0 + 1.0 + 1.0 / 3.0) / 4.0).abs() < 1e-12);
}

#[test]
fn large_graphs_are_sampled_and_say_so() {
    let graph = ring(1_000);
    let f = graph.figures_within(50_000, &mut Stream::Topology.rng(1));
    assert_eq!((f.sources, f.paths_are_exact, f.clustering_is_exact), (25, false, true));
    assert_eq!((f.diameter, f.mean_path), (999, Some(500.0)));
    let least = graph.figures_within(0, &mut Stream::Topology.rng(1));
    assert_eq!((least.sources, least.clustering_is_exact), (1, false));
}

/// A path of half a million nodes: nothing recurses along it.
#[test]
fn long_paths_do_not_exhaust_the_stack() {
    let nodes = 500_000;
    let mut graph = OverlayGraph::new(nodes);
    for node in 0..nodes {
        graph.add(node, (node + 1 < nodes).then_some(node + 1));
    }
    let f = graph.figures_within(1_000_000, &mut Stream::Topology.rng(1));
    assert_eq!((f.components, f.strong_components), (1, u64::from(nodes)));
}

const AWKWARD: &str = "a \"b\" <c> & \\N 'd' ]]> \n\u{1}\u{fffe}é\r\t";

fn exported(write: impl Fn(&OverlayGraph, &mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut graph = graph(3, &[(0, 1), (2, 0)]);
    graph.add(5, [0, 2, 4]);
    graph.set_label(1, AWKWARD);
    let mut out = Vec::new();
    write(&graph, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn graphml_is_xml_that_reads_back() {
    let text = exported(|graph, out| graph.write_graphml(out));
    let document = roxmltree::Document::parse(&text).unwrap();
    let all = |tag| document.descendants().filter(move |n| n.has_tag_name(tag));
    let nodes: Vec<_> = all("node").map(|n| n.attribute("id").unwrap()).collect();
    assert_eq!(nodes, ["n0", "n1", "n2", "n5"]);
    let labels: Vec<_> = all("data").map(|n| n.text().unwrap()).collect();
    let kept = AWKWARD.replace(['\u{1}', '\u{fffe}'], "\u{fffd}");
    assert_eq!(labels, ["n0", &kept, "n2", "n5"]);
    let edges: Vec<_> = all("edge")
        .map(|n| (n.attribute("source").unwrap(), n.attribute("target").unwrap()))
        .collect();
    assert_eq!(edges, [("n0", "n1"), ("n2", "n0"), ("n5", "n0"), ("n5", "n2")]);
    let namespace = document.root_element().tag_name().namespace();
    assert_eq!(namespace, Some("http://graphml.graphdrawing.org/xmlns"));
}

#[test]
fn dot_has_every_node_and_link() {
    let text = exported(|graph, out| graph.write_dot(out));
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    assert_eq!((lines[0], lines[lines.len() - 1]), ("digraph {", "}"));
    let links = lines.iter().filter(|line| line.contains("->"));
    let links: Vec<_> = links.map(|line| line.split(" [").next().unwrap()).collect();
    assert_eq!(links, ["0 -> 1", "2 -> 0", "3 -> 0", "3 -> 2"]);
    let label = lines.iter().find(|line| line.starts_with("1 [")).unwrap();
    assert!(label.contains(r#"label="a \"b\" <c> & \\N 'd' ]]> \n"#), "{label}");
    assert!(lines.iter().any(|line| line.starts_with("3 [") && line.contains("\"n5\"")));
}

#[test]
fn the_ending_chooses_the_format() {
    let directory = std::env::temp_dir().join(format!("overlab-graph-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let write = |name| ring(3).write(&directory.join(name));
    write("ring.dot").unwrap();
    write("ring.graphml").unwrap();
    let starts =
        |name, text| std::fs::read_to_string(directory.join(name)).unwrap().starts_with(text);
    assert!(starts("ring.dot", "digraph") && starts("ring.graphml", "<?xml"));
    assert_eq!(write("ring.png").unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    assert!(write("missing/ring.dot").is_err());
    std::fs::remove_dir_all(&directory).unwrap();
}

proptest! {
    #[test]
    fn figures_agree_with_each_other(links in prop::collection::vec((0..30_u32, 0..30_u32), 0..120)) {
        let f = figures(&graph(30, &links));
        prop_assert_eq!(f.out_degree.sum(), f.in_degree.sum());
        prop_assert_eq!(f.out_degree.sum() as u64, f.links);
        prop_assert!(f.components <= f.strong_components);
        prop_assert!(f.largest_strong_component <= f.largest_component);
        prop_assert_eq!(f.reachable == Some(1.0), f.strong_components == 1);
        prop_assert!(f.mean_path.unwrap_or(0.0) <= f.diameter as f64);
        prop_assert!((0.0..=1.0).contains(&f.clustering.unwrap()));
    }

    #[test]
    fn any_label_makes_valid_xml(label in ".{0,20}|\\PC{0,9}|[\u{0}-\u{20}]{0,9}") {
        let mut graph = ring(2);
        graph.set_label(0, label);
        let mut out = Vec::new();
        graph.write_graphml(&mut out).unwrap();
        prop_assert!(roxmltree::Document::parse(std::str::from_utf8(&out).unwrap()).is_ok());
    }
}
