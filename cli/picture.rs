//! A network as text for Graphviz, and as a picture in SVG: rows of boxes from top to bottom, arrows bent around what
//! lies between.

use driver::network::{Graph, Node};
use std::fmt::Write;

/// Width, height of a box, and the space between boxes and rows, in pixels.
const BOX: (f64, f64) = (170.0, 52.0);
const GAP: (f64, f64) = (34.0, 30.0);
const MARGIN: f64 = 20.0;

/// The graph in the language of Graphviz.
#[must_use]
pub fn dot(title: &str, graph: &Graph) -> String {
    let mut out =
        format!("digraph \"{}\" {{\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n", quoted(title));
    for (number, node) in graph.nodes.iter().enumerate() {
        let lines: Vec<String> = lines(node).iter().map(|l| quoted(l)).collect();
        let _ = writeln!(out, "  n{number} [label=\"{}\"];", lines.join("\\n"));
    }
    for (from, to) in &graph.edges {
        let _ = writeln!(out, "  n{from} -> n{to};");
    }
    out.push_str("}\n");
    out
}

/// What a box says.
fn lines(node: &Node) -> Vec<String> {
    let shape = node.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
    let shape = if shape.is_empty() { "a number".to_string() } else { shape };
    let mut lines = vec![node.name.clone()];
    lines.push(if node.parameters > 0 { format!("{shape}, {} parameters", grouped(node.parameters)) } else { shape });
    lines
}

/// Digits in threes.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The graph as a picture.
#[must_use]
pub fn svg(title: &str, graph: &Graph) -> String {
    let places = Places::new(graph);
    let (width, height) = (places.width, places.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
         {height:.0}\" font-family=\"sans-serif\">\n<title>{}</title>\n<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" \
         refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" \
         fill=\"#555\"/></marker></defs>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        escaped(title)
    );
    for (from, to) in &graph.edges {
        let _ = writeln!(
            out,
            "<path d=\"{}\" fill=\"none\" stroke=\"#555\" stroke-width=\"1.3\" marker-end=\"url(#tip)\"/>",
            places.arrow(*from, *to)
        );
    }
    for (number, node) in graph.nodes.iter().enumerate() {
        let (x, y) = places.corner(number);
        let fill = match (node.is_input, node.parameters > 0) {
            (true, _) => "#e8f3e8",
            (_, true) => "#e7eefa",
            _ => "#f4f4f4",
        };
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{}\" height=\"{}\" rx=\"7\" fill=\"{fill}\" stroke=\"#555\"/>",
            places.box_width, BOX.1
        );
        for (line, (text, size)) in lines(node).iter().zip([14, 11]).enumerate() {
            let (cx, cy) = (x + places.box_width / 2.0, y + 22.0 + 18.0 * line as f64);
            let _ = writeln!(
                out,
                "<text x=\"{cx:.1}\" y=\"{cy:.1}\" font-size=\"{size}\" text-anchor=\"middle\">{}</text>",
                escaped(text)
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Where every box stands.
struct Places {
    /// Row and place in the row.
    at: Vec<(usize, usize)>,
    /// Boxes in each row.
    rows: Vec<usize>,
    box_width: f64,
    /// Space at the right for arrows that pass rows.
    width: f64,
    height: f64,
}

impl Places {
    fn new(graph: &Graph) -> Self {
        let depths = graph.depths();
        let mut rows = vec![0; depths.iter().max().map_or(0, |d| d + 1)];
        let mut at = vec![];
        for depth in &depths {
            at.push((*depth, rows[*depth]));
            rows[*depth] += 1;
        }
        let longest = graph.nodes.iter().flat_map(lines).map(|l| l.chars().count()).max().unwrap_or(0);
        let box_width = BOX.0.max(7.0 * longest as f64 + 24.0);
        let passes = graph.edges.iter().any(|(a, b)| depths[*b] > depths[*a] + 1);
        let widest = rows.iter().max().copied().unwrap_or(1) as f64;
        let width = 2.0 * MARGIN + widest * box_width + (widest - 1.0) * GAP.0 + if passes { 2.0 * GAP.0 } else { 0.0 };
        let height = 2.0 * MARGIN + rows.len() as f64 * (BOX.1 + GAP.1) - GAP.1;
        Self { at, rows, box_width, width, height }
    }

    /// The upper left corner of a box; rows are centred on each other.
    fn corner(&self, number: usize) -> (f64, f64) {
        let (row, place) = self.at[number];
        let count = self.rows[row] as f64;
        let row_width = count * self.box_width + (count - 1.0) * GAP.0;
        let x = (self.width - row_width) / 2.0 + place as f64 * (self.box_width + GAP.0);
        (x, MARGIN + row as f64 * (BOX.1 + GAP.1))
    }

    /// A line to the next row; a bow around the boxes between to a later one.
    fn arrow(&self, from: usize, to: usize) -> String {
        let ((x1, y1), (x2, y2)) = (self.corner(from), self.corner(to));
        let half = self.box_width / 2.0;
        if self.at[to].0 == self.at[from].0 + 1 {
            let (top, bottom) = (y1 + BOX.1, y2 - 1.0);
            let middle = (top + bottom) / 2.0;
            return format!(
                "M{:.1},{top:.1} C{0:.1},{middle:.1} {:.1},{middle:.1} {1:.1},{bottom:.1}",
                x1 + half,
                x2 + half
            );
        }
        let (right, left) = (x1 + self.box_width, x2 + self.box_width);
        let out = right.max(left) + 1.6 * GAP.0;
        let (a, b) = (y1 + BOX.1 / 2.0, y2 + BOX.1 / 2.0);
        format!("M{right:.1},{a:.1} C{out:.1},{a:.1} {out:.1},{b:.1} {:.1},{b:.1}", left + 1.0)
    }
}
