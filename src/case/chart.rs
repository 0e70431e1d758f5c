//! Charts as inline SVG: bars stacked by outcome, lines over weeks. Few kinds, so they are drawn by hand.

use std::fmt::Write as _;

use super::document::Chart;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 34.0;
/// Most labels along the x axis.
const LABELS: usize = 12;

/// Draws a chart.
pub(super) fn svg(chart: &Chart) -> String {
    let count = chart.labels.len();
    if count == 0 {
        return String::new();
    }
    let top = top_of(chart);
    let (plot_width, plot_height) = (WIDTH - LEFT - 10.0, HEIGHT - TOP - BOTTOM);
    let y = |value: f64| TOP + plot_height * (1.0 - value / top);
    let step = plot_width / count as f64;
    let x = |place: usize| LEFT + step * (place as f64 + 0.5);
    // Writing to a String does not fail.
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{0}\"><text class=\"title\" x=\"0\" y=\"14\">{0}</text>",
        escaped(&chart.title)
    );
    let mut legend = LEFT;
    for (name, class, _) in &chart.series {
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{legend:.0}\" y=\"24\" width=\"10\" height=\"10\"/><text x=\"{:.0}\" y=\"33\">{}</text>",
            legend + 14.0,
            escaped(name)
        );
        legend += 40.0 + 6.5 * name.chars().count() as f64;
    }
    for part in 0..=4 {
        let value = top * f64::from(part) / 4.0;
        let shown = if chart.fractions { format!("{:.0}%", value * 100.0) } else { format!("{value:.0}") };
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/><text x=\"{2:.0}\" y=\"{3:.1}\" text-anchor=\"end\">{shown}</text>",
            WIDTH - 10.0,
            y(value),
            LEFT - 6.0,
            y(value) + 4.0
        );
    }
    if chart.stacked {
        bars(&mut out, chart, step, &x, &y);
    } else {
        lines(&mut out, chart, &x, &y);
    }
    let every = count.div_ceil(LABELS);
    for (place, label) in chart.labels.iter().enumerate().step_by(every) {
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
            x(place),
            HEIGHT - BOTTOM + 18.0,
            escaped(label)
        );
    }
    out.push_str("</svg>");
    out
}

fn bars(out: &mut String, chart: &Chart, step: f64, x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) {
    let width = (step * 0.8).max(1.0);
    for place in 0..chart.labels.len() {
        let mut below = 0.0;
        for (_, class, values) in &chart.series {
            let value = values.get(place).copied().unwrap_or(0.0);
            if value <= 0.0 {
                continue;
            }
            let (from, to) = (y(below), y(below + value));
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{to:.1}\" width=\"{width:.1}\" height=\"{:.1}\"/>",
                x(place) - width / 2.0,
                from - to
            );
            below += value;
        }
    }
}

fn lines(out: &mut String, chart: &Chart, x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) {
    for (_, class, values) in &chart.series {
        let points: Vec<String> =
            values.iter().enumerate().map(|(place, value)| format!("{:.1},{:.1}", x(place), y(*value))).collect();
        let _ = write!(out, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
        for (place, value) in values.iter().enumerate().filter(|_| values.len() <= 60) {
            let _ = write!(out, "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"/>", x(place), y(*value));
        }
    }
}

/// The top of the y axis: all of a fraction, else a round number above the highest bar.
fn top_of(chart: &Chart) -> f64 {
    if chart.fractions {
        return 1.0;
    }
    let at = |place: usize| chart.series.iter().map(move |(_, _, values)| values.get(place).copied().unwrap_or(0.0));
    let highest = (0..chart.labels.len())
        .map(|place| if chart.stacked { at(place).sum() } else { at(place).fold(0.0, f64::max) })
        .fold(0.0, f64::max);
    let mut top = 4.0;
    while top < highest {
        top *= if [4.0, 40.0, 400.0].contains(&top) { 2.0 } else { 1.25 };
    }
    top
}

fn escaped(text: &str) -> String {
    crate::words::plain(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
