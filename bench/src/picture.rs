//! Charts as SVG, readable on light and dark pages.

use crate::report::number;

const STYLE: &str = "<style>text{font:12px sans-serif;fill:#24292f}.title{font-weight:bold}.axis{stroke:#8c959f;stroke-width:1}\
    .ours{fill:#0a7d4f}.theirs{fill:#8c959f}rect.page{fill:#ffffff}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}rect.page{fill:#0d1117}}</style>";

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
