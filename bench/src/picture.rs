//! Charts as SVG, readable on light and dark pages.

use crate::report::number;

const STYLE: &str = "<style>text{font:12px sans-serif;fill:#24292f}.title{font-weight:bold}.axis{stroke:#8c959f;stroke-width:1}\
    .ours{fill:#0a7d4f}.theirs{fill:#8c959f}rect.page{fill:#ffffff}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}rect.page{fill:#0d1117}}</style>";

/// The colours of lines.
const COLOURS: [&str; 6] = ["#0a7d4f", "#0969da", "#bc4c00", "#8250df", "#bf8700", "#cf222e"];

/// A group of bars with a scale of its own.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) bars: Vec<(String, f64)>,
}

/// A chart of bars.
pub(crate) fn bars(title: &str, panels: &[Panel]) -> String {
    const WIDTH: f64 = 860.0;
    const LABELS: f64 = 220.0;
    const ROW: f64 = 18.0;
    let mut body = text(10.0, 20.0, "start", "title", title);
    let mut y = 40.0;
    for panel in panels {
        body += &text(10.0, y + 14.0, "start", "title", &panel.title);
        y += 22.0;
        let most = panel.bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
        for (label, value) in &panel.bars {
            let width = value / most * (WIDTH - LABELS - 90.0);
            let class = if label.starts_with("this project") { "ours" } else { "theirs" };
            body += &text(LABELS - 8.0, y + 13.0, "end", "", label);
            body +=
                &format!(r#"<rect class="{class}" x="{LABELS}" y="{y}" width="{width:.1}" height="{}"/>"#, ROW - 4.0);
            body += &text(LABELS + width + 6.0, y + 13.0, "start", "", &number(*value));
            y += ROW;
        }
        y += 12.0;
    }
    document(WIDTH, y, &body)
}

/// Lines over the same points of a logarithmic axis.
pub(crate) struct Lines<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl Lines<'_> {
    /// A chart with two logarithmic axes, marked at powers of ten.
    pub(crate) fn draw(&self) -> String {
        const LEFT: f64 = 80.0;
        const TOP: f64 = 40.0;
        const WIDTH: f64 = 480.0;
        const HEIGHT: f64 = 300.0;
        let points = || self.lines.iter().flat_map(|(_, points)| points).filter(|(x, y)| *x > 0.0 && *y > 0.0);
        let range = |values: &mut dyn Iterator<Item = f64>| {
            let (least, most) = values.fold((f64::INFINITY, 0.0_f64), |(least, most), v| (least.min(v), most.max(v)));
            (least.log10().floor(), most.log10().ceil().max(least.log10().floor() + 1.0))
        };
        let (x_from, x_to) = range(&mut points().map(|(x, _)| *x));
        let (y_from, y_to) = range(&mut points().map(|(_, y)| *y));
        let x_at = |x: f64| LEFT + (x.log10() - x_from) / (x_to - x_from) * WIDTH;
        let y_at = |y: f64| TOP + HEIGHT - (y.log10() - y_from) / (y_to - y_from) * HEIGHT;

        let mut body = text(10.0, 20.0, "start", "title", self.title);
        for power in x_from as i32..=x_to as i32 {
            let x = x_at(10_f64.powi(power));
            body += &format!(r#"<path class="axis" d="M{x:.1} {TOP}v{HEIGHT}" stroke-opacity="0.4"/>"#);
            body += &text(x, TOP + HEIGHT + 16.0, "middle", "", &label(power));
        }
        for power in y_from as i32..=y_to as i32 {
            let y = y_at(10_f64.powi(power));
            body += &format!(r#"<path class="axis" d="M{LEFT} {y:.1}h{WIDTH}" stroke-opacity="0.4"/>"#);
            body += &text(LEFT - 6.0, y + 4.0, "end", "", &label(power));
        }
        body += &text(LEFT + WIDTH / 2.0, TOP + HEIGHT + 36.0, "middle", "", self.x);
        body += &text(LEFT, TOP - 8.0, "middle", "", self.y);
        for ((name, line), (index, colour)) in self.lines.iter().zip(COLOURS.iter().cycle().enumerate()) {
            let drawn = line.iter().filter(|(x, y)| *x > 0.0 && *y > 0.0);
            let path: Vec<_> = drawn.map(|&(x, y)| format!("{:.1} {:.1}", x_at(x), y_at(y))).collect();
            body +=
                &format!(r#"<polyline fill="none" stroke="{colour}" stroke-width="2" points="{}"/>"#, path.join(" "));
            let y = TOP + 10.0 + 20.0 * index as f64;
            let x = LEFT + WIDTH + 16.0;
            body += &format!(r#"<path d="M{x} {y}h20" stroke="{colour}" stroke-width="2"/>"#);
            body += &text(x + 26.0, y + 4.0, "start", "", name);
        }
        document(860.0, TOP + HEIGHT + 50.0, &body)
    }
}

/// A power of ten in words that fit an axis.
fn label(power: i32) -> String {
    if power < 0 {
        format!("0.{}1", "0".repeat(power.unsigned_abs() as usize - 1))
    } else {
        number(10_f64.powi(power)).replace(".00", "").replace(".0", "")
    }
}

fn text(x: f64, y: f64, anchor: &str, class: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#) + "\n"
}

fn document(width: f64, height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         {STYLE}\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n"
    )
}
