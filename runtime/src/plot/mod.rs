//! Pictures of runs: curves as SVG and PNG. The font is built in, so a picture looks the same
//! everywhere.

mod axis;
mod draw;

use crate::data::{DataError, Kind, Result};
use crate::file::replace;
use plotters::prelude::*;
use serde_json::Value;
use std::path::Path;
use std::sync::OnceLock;

/// Some charts side by side under a title.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Above the charts; may be empty.
    pub title: String,
    /// At most three in a row.
    pub charts: Vec<Chart>,
}

/// Curves over one pair of axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// What the vertical axis shows.
    pub title: String,
    /// What the horizontal axis shows.
    pub x_label: String,
    /// Whether the horizontal axis is logarithmic.
    pub log_x: bool,
    /// Whether the vertical axis is logarithmic.
    pub log_y: bool,
    /// In the order of the legend.
    pub curves: Vec<Curve>,
}

/// A line through points; a point that is not finite interrupts it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// In the legend.
    pub name: String,
    /// In order.
    pub points: Vec<(f64, f64)>,
}

/// Coordinates of the SVG to a point: they are whole numbers.
const SVG_SCALE: f64 = 8.0;
/// Pixels of the PNG to a point, along each axis.
const PNG_SCALE: u32 = 2;
/// Pixels drawn to a pixel kept, along each axis, which smooths edges.
const SUPERSAMPLING: u32 = 3;

/// As many epochs make a curve.
const FEW_EPOCHS: usize = 5;

impl Picture {
    /// The curves of a training run: a chart for each metric, a curve for each split, from the
    /// `epoch` lines of its log, or, where these are few, by updates.
    #[must_use]
    pub fn of_log(title: &str, lines: &[Value]) -> Self {
        let mut charts = vec![];
        add_log(&mut charts, "", lines, few_epochs(lines));
        Self::of_charts(title, charts)
    }

    /// The curves of several runs together, each under the run's name.
    #[must_use]
    pub fn of_logs(runs: &[(String, Vec<Value>)]) -> Self {
        let mut charts = vec![];
        let by_update = runs.iter().all(|(_, lines)| few_epochs(lines));
        runs.iter().for_each(|(name, lines)| add_log(&mut charts, &format!("{name} "), lines, by_update));
        Self::of_charts("", charts)
    }

    fn of_charts(title: &str, mut charts: Vec<Chart>) -> Self {
        for chart in &mut charts {
            chart.log_y = spans_decades(&chart.curves);
        }
        Self { title: title.to_string(), charts }
    }

    /// The picture as SVG.
    ///
    /// # Errors
    /// If a font cannot be had, which would be a fault of the build.
    pub fn svg(&self) -> Result<String> {
        fonts()?;
        let (width, height) = draw::size(self);
        let large = ((width * SVG_SCALE) as u32, (height * SVG_SCALE) as u32);
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, large).into_drawing_area();
        draw::picture(&area, self, SVG_SCALE).map_err(|e| undrawable(&e))?;
        drop(area);
        let drawn = format!("<svg width=\"{}\" height=\"{}\"", large.0, large.1);
        Ok(text.replacen(&drawn, &format!("<svg width=\"{width}\" height=\"{height}\""), 1))
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// If a font cannot be had, which would be a fault of the build.
    pub fn png(&self) -> Result<Vec<u8>> {
        fonts()?;
        let (width, height) = draw::size(self);
        let (width, height) = (width as u32 * PNG_SCALE, height as u32 * PNG_SCALE);
        let (wide, high) = (width * SUPERSAMPLING, height * SUPERSAMPLING);
        let mut pixels = vec![0; (wide * high * 3) as usize];
        let area = BitMapBackend::with_buffer(&mut pixels, (wide, high)).into_drawing_area();
        let scale = f64::from(PNG_SCALE * SUPERSAMPLING);
        draw::picture(&area, self, scale).map_err(|e| undrawable(&e))?;
        drop(area);
        let large = image::RgbImage::from_raw(wide, high, pixels).ok_or_else(|| undrawable(&"too few pixels"))?;
        let small = image::imageops::thumbnail(&large, width, height);
        let mut png = std::io::Cursor::new(Vec::new());
        small.write_to(&mut png, image::ImageFormat::Png).map_err(|e| undrawable(&e))?;
        Ok(png.into_inner())
    }

    /// Writes `STEM.svg` and `STEM.png`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<()> {
        replace(&stem.with_extension("svg"), self.svg()?.as_bytes())?;
        replace(&stem.with_extension("png"), &self.png()?)
    }
}

/// The lines of a log about one event.
fn events<'a>(lines: &'a [Value], event: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter(move |l| l.get("event").and_then(Value::as_str) == Some(event))
}

/// Whether a log has too few epochs for a curve, but figures between them.
fn few_epochs(lines: &[Value]) -> bool {
    events(lines, "epoch").count() < FEW_EPOCHS && events(lines, "interval").nth(1).is_some()
}

/// Adds a log's curves to the charts of their metrics, their names after `prefix`. By epoch each figure is one of an epoch; by
/// update those of training are of single minibatches, as they were logged.
fn add_log(charts: &mut Vec<Chart>, prefix: &str, lines: &[Value], by_update: bool) {
    let (x_label, place) = if by_update { ("update", "step") } else { ("epoch", "epoch") };
    let of_training = if by_update { "interval" } else { "epoch" };
    for (split, event) in [("train", of_training), ("valid", "epoch"), ("test", "epoch")] {
        for line in events(lines, event) {
            let x = line.get(place).and_then(Value::as_f64).unwrap_or(f64::NAN);
            for (metric, value) in line.get(split).and_then(Value::as_object).into_iter().flat_map(|m| m.iter()) {
                let new = || Chart { title: metric.clone(), x_label: x_label.to_string(), ..Chart::default() };
                let chart = entry(charts, |c| c.title == *metric, new);
                let name = format!("{prefix}{split}");
                let curve =
                    entry(&mut chart.curves, |c| c.name == name, || Curve { name: name.clone(), points: vec![] });
                curve.points.push((x, value.as_f64().unwrap_or(f64::NAN)));
            }
        }
    }
}

/// The first that fits, or a new one at the end.
fn entry<T>(items: &mut Vec<T>, fits: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> &mut T {
    let place = items.iter().position(fits).unwrap_or(items.len());
    if place == items.len() {
        items.push(new());
    }
    &mut items[place]
}

/// Whether a logarithmic axis shows more: all values above zero, the largest 30 times the least.
fn spans_decades(curves: &[Curve]) -> bool {
    let values = || curves.iter().flat_map(|c| c.points.iter().map(|p| p.1)).filter(|v| v.is_finite());
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    low > 0.0 && high > 30.0 * low
}

/// Registers the built-in font, once.
fn fonts() -> Result<()> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let register = || {
        let normal = include_bytes!("dejavu-sans.ttf");
        let bold = include_bytes!("dejavu-sans-bold.ttf");
        plotters::style::register_font("sans-serif", FontStyle::Normal, normal).is_ok()
            && plotters::style::register_font("sans-serif", FontStyle::Bold, bold).is_ok()
    };
    if *REGISTERED.get_or_init(register) { Ok(()) } else { Err(undrawable(&"the built-in font is damaged")) }
}

fn undrawable(cause: &impl std::fmt::Display) -> DataError {
    DataError::new(Kind::Unwritable, format!("the picture cannot be drawn: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(epochs: usize) -> Picture {
        let line = |i: usize| {
            let t = i as f64;
            json!({"event": "epoch", "epoch": i, "step": i * 100,
                "train": {"loss": 2.2 * (-t / 4.0).exp() + 0.05, "share right": 1.0 - 0.85 * (-t / 3.0).exp()},
                "valid": {"loss": 2.2 * (-t / 4.0).exp() + 0.11 + 0.004 * t + 0.01 * (t * 2.1).sin(),
                    "share right": 0.96 - 0.82 * (-t / 3.0).exp() + 0.004 * (t * 1.7).sin()}})
        };
        Picture::of_log("lenet", &(1..=epochs).map(line).collect::<Vec<_>>())
    }

    /// Nine curves with long names over logarithmic axes.
    fn crowd() -> Picture {
        let curve = |k: i32| Curve {
            name: format!("step size {:e}", 10f64.powi(-k)),
            points: (0..400).map(|i| (f64::from(i * i), 3.0 / (1.0 + f64::from(i * i) / 10f64.powi(k)))).collect(),
        };
        let curves = (0..9).map(curve).collect();
        let chart = Chart { title: "loss".into(), x_label: "step".into(), log_x: true, log_y: true, curves };
        Picture { title: String::new(), charts: vec![chart] }
    }

    #[test]
    fn a_crowded_legend_takes_rows_of_its_own() {
        let rows = |picture: &Picture| {
            let svg = picture.svg().unwrap();
            let lines = svg.lines().zip(svg.lines().skip(1)).filter(|(_, name)| name.starts_with("step size"));
            lines
                .map(|(text, _)| text.split("y=").nth(1).unwrap()[..5].to_string())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert!(rows(&crowd()).len() >= 3, "{:?}", rows(&crowd()));
    }

    #[test]
    fn a_log_becomes_curves() {
        let picture = run(20);
        let titles: Vec<_> = picture.charts.iter().map(|c| (c.title.as_str(), c.log_y)).collect();
        assert_eq!(titles, [("loss", false), ("share right", false)]);
        assert_eq!(picture.charts[0].curves.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["train", "valid"]);
        assert_eq!(picture.charts[0].curves[1].points.len(), 20);
    }

    #[test]
    fn few_epochs_are_drawn_by_updates() {
        let interval =
            |i: usize| json!({"event": "interval", "epoch": 1, "step": i * 10, "train": {"loss": 1.0 / i as f64}});
        let epoch = json!({"event": "epoch", "epoch": 1, "step": 90, "train": {"loss": 0.3}, "valid": {"loss": 0.2}});
        let picture = Picture::of_log("", &(1..=9).map(interval).chain([epoch]).collect::<Vec<_>>());
        let [chart] = &picture.charts[..] else { panic!("{picture:?}") };
        assert_eq!((chart.x_label.as_str(), chart.curves[0].points.len()), ("update", 9));
        assert_eq!(chart.curves[1].points, [(90.0, 0.2)]);
    }

    #[test]
    fn pictures_are_drawn_and_always_the_same() {
        let picture = run(20);
        let svg = picture.svg().unwrap();
        assert!(svg.starts_with("<svg width=\"1064\" height=\"398\" viewBox=\"0 0 8512 3184\""), "{}", &svg[..80]);
        assert!(svg.contains("valid") && svg.contains("epoch") && svg.contains("lenet"));
        assert_eq!(svg, run(20).svg().unwrap());
        let png = image::load_from_memory(&picture.png().unwrap()).unwrap().to_rgb8();
        assert_eq!((png.width(), png.height()), (2128, 796));
        let blue = png.pixels().filter(|p| p.0 == [0x25, 0x63, 0xeb]).count();
        assert!(blue > 1_000, "{blue} pixels of the training curve");
        if let Some(folder) = std::env::var_os("NNC_PICTURES") {
            let folder = Path::new(&folder);
            picture.save(&folder.join("few")).unwrap();
            run(200).save(&folder.join("many")).unwrap();
            crowd().save(&folder.join("crowd")).unwrap();
        }
    }

    #[test]
    fn odd_curves_are_drawn_too() {
        let curve = |points: &[(f64, f64)]| Curve { name: "a".to_string(), points: points.to_vec() };
        let odd = [&[][..], &[(1.0, f64::NAN)], &[(0.0, 1.0)], &[(1.0, 1.0), (2.0, f64::INFINITY), (3.0, -1e300)]];
        for points in odd {
            for log in [false, true] {
                let chart = Chart { log_x: log, log_y: log, curves: vec![curve(points)], ..Chart::default() };
                Picture { title: String::new(), charts: vec![chart] }.svg().unwrap();
            }
        }
        Picture::default().svg().unwrap();
    }
}
