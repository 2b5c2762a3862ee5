//! Throughput against size, as a picture.

use std::fmt::Write as _;
use std::time::Duration;

use super::measure::Comparison;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 60.0;

/// A line through one point for each model.
struct Series {
    name: &'static str,
    color: &'static str,
    is_dashed: bool,
    /// Bytes, and bytes a second.
    points: Vec<(f64, f64)>,
}

/// Signing whole files: ours, the others, and what the machine allows, on logarithmic axes.
pub(super) fn svg(comparisons: &[Comparison]) -> String {
    let signing: Vec<&Comparison> = comparisons
        .iter()
        .filter(|comparison| comparison.model.is_pictured)
        .filter(|comparison| comparison.operation == "sign" && comparison.case.shard_bytes.is_none())
        .collect();
    let series = |name, color, is_dashed, time: &dyn Fn(&Comparison) -> Option<Duration>| {
        let point = |comparison: &&Comparison| {
            let bytes = comparison.model.total_bytes() as f64;
            time(comparison).map(|time| (bytes, bytes / time.as_secs_f64()))
        };
        let mut points: Vec<_> = signing.iter().filter_map(point).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series { name, color, is_dashed, points }
    };
    let all = [
        series("bound", "#7d8590", true, &|comparison| comparison.least),
        series("model-signing", "#1f6feb", false, &|comparison| Some(comparison.ours.median())),
        series("Go", "#2da44e", false, &|comparison| comparison.go.as_ref().map(super::Samples::median)),
        series("Python", "#bf5af2", false, &|comparison| Some(comparison.theirs.median())),
    ];
    draw(&all)
}

fn draw(series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let (sizes, rates) = (decades(points().map(|point| point.0)), decades(points().map(|point| point.1)));
    let x = |bytes: f64| LEFT + (bytes.log10() - sizes.0) / (sizes.1 - sizes.0) * (WIDTH - LEFT - RIGHT);
    let y = |rate: f64| HEIGHT - BOTTOM - (rate.log10() - rates.0) / (rates.1 - rates.0) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\" fill=\"#57606a\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"15\" fill=\"#24292f\">Signing a model with a key: throughput against size\
         </text>\n"
    );
    // Writing to a string cannot fail.
    for decade in whole(sizes) {
        let at = x(10f64.powi(decade));
        let _ = writeln!(svg, "<path d=\"M{at:.1} {TOP}V{:.1}\" stroke=\"#d8dee4\"/>", HEIGHT - BOTTOM);
        let label = amount(decade);
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            HEIGHT - BOTTOM + 20.0
        );
    }
    for decade in whole(rates) {
        let at = y(10f64.powi(decade));
        let _ = writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#d8dee4\"/>", WIDTH - RIGHT);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}/s</text>",
            LEFT - 6.0,
            at + 4.0,
            amount(decade)
        );
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    let _ =
        writeln!(svg, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">size of the model</text>", HEIGHT - 16.0);
    let mut label_below = f64::NEG_INFINITY;
    let mut ordered: Vec<&Series> = series.iter().filter(|series| !series.points.is_empty()).collect();
    let last = |series: &Series| series.points.last().map_or(0.0, |point| y(point.1));
    ordered.sort_by(|a, b| last(a).total_cmp(&last(b)));
    for Series { name, color, is_dashed, points } in ordered {
        let mut line = String::new();
        for (index, (bytes, rate)) in points.iter().enumerate() {
            let _ = write!(line, "{}{:.1} {:.1}", if index == 0 { 'M' } else { 'L' }, x(*bytes), y(*rate));
        }
        let dashes = if *is_dashed { " stroke-dasharray=\"6 5\"" } else { "" };
        let _ = writeln!(svg, "<path d=\"{line}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2.5\"{dashes}/>");
        for (bytes, rate) in points {
            let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{color}\"/>", x(*bytes), y(*rate));
        }
        // Names that would lie on each other go below each other.
        let (bytes, rate) = points[points.len() - 1];
        label_below = (label_below + 17.0).max(y(rate) + 4.0);
        let _ =
            writeln!(svg, "<text x=\"{:.1}\" y=\"{label_below:.1}\" fill=\"{color}\">{name}</text>", x(bytes) + 12.0);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The decimal logarithms between which all values lie, the lower one whole.
fn decades(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let logarithms = || values.clone().map(f64::log10);
    let lowest = logarithms().fold(f64::INFINITY, f64::min).floor();
    let highest = logarithms().fold(f64::NEG_INFINITY, f64::max);
    if lowest.is_finite() { (lowest, highest.max(lowest + 1.0) + 0.05) } else { (0.0, 1.0) }
}

fn whole((lowest, highest): (f64, f64)) -> impl Iterator<Item = i32> {
    lowest as i32..=highest.floor() as i32
}

/// A power of ten of bytes.
fn amount(decade: i32) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let decade = usize::try_from(decade).unwrap_or_default();
    let unit = UNITS[(decade / 3).min(UNITS.len() - 1)];
    format!("{} {unit}", 10u64.pow(u32::try_from(decade % 3).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_every_line_within_it() {
        let points = vec![(8e3, 2e6), (2.15e8, 3e9), (1.44e10, 2e9)];
        let line = |name| Series { name, color: "#000000", is_dashed: false, points: points.clone() };
        let svg = draw(&[line("a"), line("b"), Series { points: Vec::new(), ..line("c") }]);
        assert_eq!((svg.matches("<circle").count(), svg.matches(">c<").count()), (6, 0));
        for at in svg.split("cy=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let at: f64 = at.parse().expect("a number");
            assert!((TOP - 1.0..=HEIGHT - BOTTOM).contains(&at), "{at}");
        }
        assert_eq!([3, 6, 10].map(amount), ["1 KB", "1 MB", "10 GB"]);
    }
}
