//! Draws a picture on any backend of plotters. All lengths are in points of the layout times the
//! scale of the backend, whose coordinates are whole numbers.

use super::axis::Axis;
use super::{Chart, Picture};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Size of one chart with its title, legend and axes.
const CHART: (f64, f64) = (520.0, 340.0);
/// Space around the charts.
const MARGIN: f64 = 12.0;
/// Height of the picture's title.
const TITLE: f64 = 34.0;
/// From a chart's left edge to its vertical axis.
const LEFT: f64 = 64.0;
/// Height of the legend's letters, and of its rows.
const LETTERS: f64 = 12.0;
const ROW: f64 = 18.0;
/// Charts in a row.
const COLUMNS: usize = 3;

const INK: RGBColor = RGBColor(0x1f, 0x24, 0x2e);
const FAINT_INK: RGBColor = RGBColor(0x5b, 0x63, 0x70);
const GRID: RGBColor = RGBColor(0xe6, 0xe8, 0xec);
const AXIS: RGBColor = RGBColor(0x9a, 0xa1, 0xac);

/// Colours that differ in hue and lightness, also for the colour-blind; the first two are those of
/// training and validation.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x25, 0x63, 0xeb),
    RGBColor(0xea, 0x6a, 0x0a),
    RGBColor(0x0f, 0x8a, 0x5f),
    RGBColor(0xb8, 0x2e, 0x8a),
    RGBColor(0x7a, 0x5a, 0x12),
    RGBColor(0x3a, 0xa7, 0xc9),
    RGBColor(0xc6, 0x28, 0x28),
    RGBColor(0x6b, 0x4f, 0xc8),
];

/// A drawing area with its scale.
pub struct Canvas<'a, B: DrawingBackend> {
    area: &'a DrawingArea<B, Shift>,
    scale: f64,
}

type Fault<B> = DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>;
type Drawn<B> = Result<(), Fault<B>>;

/// Width and height of a picture in points.
#[must_use]
pub fn size(picture: &Picture) -> (f64, f64) {
    let columns = picture.charts.len().clamp(1, COLUMNS);
    let rows = picture.charts.len().div_ceil(COLUMNS).max(1);
    let title = if picture.title.is_empty() { 0.0 } else { TITLE };
    (2.0 * MARGIN + columns as f64 * CHART.0, 2.0 * MARGIN + title + rows as f64 * CHART.1)
}

/// Draws all charts.
///
/// # Errors
/// What the backend reports.
pub fn picture<B: DrawingBackend>(area: &DrawingArea<B, Shift>, picture: &Picture, scale: f64) -> Drawn<B> {
    let canvas = Canvas { area, scale };
    area.fill(&WHITE)?;
    let mut top = MARGIN;
    if !picture.title.is_empty() {
        canvas.text(&picture.title, (MARGIN + LEFT, top + 18.0), 17.0, &INK, FontStyle::Bold, HPos::Left)?;
        top += TITLE;
    }
    for (i, chart) in picture.charts.iter().enumerate() {
        let corner = (MARGIN + (i % COLUMNS) as f64 * CHART.0, top + (i / COLUMNS) as f64 * CHART.1);
        Panel::new(chart, corner).draw(&canvas)?;
    }
    area.present()
}

impl<B: DrawingBackend> Canvas<'_, B> {
    fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn line(&self, points: &[(f64, f64)], width: f64, colour: &RGBColor) -> Drawn<B> {
        let points: Vec<_> = points.iter().map(|p| self.at(*p)).collect();
        self.area.draw(&PathElement::new(points, colour.stroke_width((width * self.scale).round().max(1.0) as u32)))
    }

    fn dot(&self, centre: (f64, f64), radius: f64, colour: &RGBColor) -> Drawn<B> {
        self.area.draw(&Circle::new(self.at(centre), (radius * self.scale).round() as i32, colour.filled()))
    }

    /// Width in points of a text as large as those of the legend.
    fn width(&self, text: &str) -> Result<f64, Fault<B>> {
        let font = FontDesc::new(FontFamily::SansSerif, LETTERS * self.scale, FontStyle::Normal);
        Ok(f64::from(self.area.estimate_text_size(text, &TextStyle::from(font))?.0) / self.scale)
    }

    /// Text whose vertical middle is at the point.
    fn text(
        &self,
        text: &str,
        point: (f64, f64),
        size: f64,
        colour: &RGBColor,
        style: FontStyle,
        side: HPos,
    ) -> Drawn<B> {
        let font = FontDesc::new(FontFamily::SansSerif, size * self.scale, style);
        let style = TextStyle::from(font).color(colour).pos(Pos::new(side, VPos::Center));
        // The middle of a line of text lies above that of its letters.
        self.area.draw(&Text::new(text.to_string(), self.at((point.0, point.1 + 0.12 * size)), style))
    }
}

/// A chart with its axes, and the corners of the field that holds the curves.
struct Panel<'a> {
    chart: &'a Chart,
    x: Axis,
    y: Axis,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl<'a> Panel<'a> {
    fn new(chart: &'a Chart, corner: (f64, f64)) -> Self {
        let values = |f: fn(&(f64, f64)) -> f64| -> Vec<f64> {
            chart.curves.iter().flat_map(|c| c.points.iter().map(f)).collect()
        };
        Self {
            chart,
            x: Axis::new(&values(|p| p.0), chart.log_x, 6, true),
            y: Axis::new(&values(|p| p.1), chart.log_y, 5, false),
            left: corner.0 + LEFT,
            right: corner.0 + CHART.0 - 22.0,
            top: corner.1 + 46.0,
            bottom: corner.1 + CHART.1 - 50.0,
        }
    }

    fn point(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let (x, y) = (self.x.place(x)?, self.y.place(y)?);
        Some((self.left + x * (self.right - self.left), self.bottom - y * (self.bottom - self.top)))
    }

    fn draw<B: DrawingBackend>(mut self, canvas: &Canvas<B>) -> Drawn<B> {
        let above = (self.left, self.top - 24.0);
        canvas.text(&self.chart.title, above, 14.0, &INK, FontStyle::Bold, HPos::Left)?;
        let rows = self.rows(canvas)?;
        self.top += ROW * (rows.len() - 1) as f64;
        self.legend(canvas, &rows)?;
        self.axes(canvas)?;
        for (curve, colour) in self.chart.curves.iter().zip(COLOURS.iter().cycle()) {
            // Where a value is no number the line is interrupted.
            let places: Vec<_> = curve.points.iter().map(|p| self.point(*p)).collect();
            for run in places.split(Option::is_none).map(|r| r.iter().filter_map(|p| *p).collect::<Vec<_>>()) {
                canvas.line(&run, 1.8, colour)?;
                if places.len() <= 24 {
                    run.iter().try_for_each(|p| canvas.dot(*p, 2.8, colour))?;
                }
            }
        }
        Ok(())
    }

    fn axes<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Drawn<B> {
        for tick in &self.y.ticks {
            let y = self.bottom - self.y.place(*tick).unwrap_or(0.0) * (self.bottom - self.top);
            canvas.line(&[(self.left, y), (self.right, y)], 1.0, &GRID)?;
            let label = self.y.label(*tick);
            canvas.text(&label, (self.left - 9.0, y), 11.5, &FAINT_INK, FontStyle::Normal, HPos::Right)?;
        }
        for tick in &self.x.ticks {
            let x = self.left + self.x.place(*tick).unwrap_or(0.0) * (self.right - self.left);
            canvas.line(&[(x, self.top), (x, self.bottom)], 1.0, &GRID)?;
            canvas.line(&[(x, self.bottom), (x, self.bottom + 4.0)], 1.0, &AXIS)?;
            let label = self.x.label(*tick);
            canvas.text(&label, (x, self.bottom + 15.0), 11.5, &FAINT_INK, FontStyle::Normal, HPos::Center)?;
        }
        canvas.line(&[(self.left, self.bottom), (self.right, self.bottom)], 1.2, &AXIS)?;
        let middle = (self.left + self.right) / 2.0;
        let below = (middle, self.bottom + 35.0);
        canvas.text(&self.chart.x_label, below, 12.0, &INK, FontStyle::Normal, HPos::Center)
    }

    /// Names of the curves, above the field from right to left, so that they never cover a curve.
    fn legend<B: DrawingBackend>(&self, canvas: &Canvas<B>, rows: &[Vec<Entry>]) -> Drawn<B> {
        for (number, row) in rows.iter().rev().enumerate() {
            let mut right = self.right;
            let y = self.top - 23.0 - ROW * number as f64;
            for entry in row.iter().rev() {
                canvas.text(entry.name, (right, y), LETTERS, &INK, FontStyle::Normal, HPos::Right)?;
                let swatch = right - entry.width - 7.0;
                canvas.line(&[(swatch - 18.0, y), (swatch, y)], 2.6, entry.colour)?;
                right -= entry.space();
            }
        }
        Ok(())
    }

    /// The legend's entries in rows; the first leaves room for the title.
    fn rows<B: DrawingBackend>(&self, canvas: &Canvas<B>) -> Result<Vec<Vec<Entry<'a>>>, Fault<B>> {
        let mut left = self.right - self.left - 1.3 * canvas.width(&self.chart.title)?;
        let mut rows = vec![Vec::new()];
        for (curve, colour) in self.chart.curves.iter().zip(COLOURS.iter().cycle()) {
            // A single curve that is called as its chart needs no name.
            if self.chart.curves.len() == 1 && curve.name == self.chart.title {
                continue;
            }
            let entry = Entry { name: &curve.name, colour, width: canvas.width(&curve.name)? };
            if entry.space() > left {
                rows.push(Vec::new());
                left = self.right - self.left + 16.0;
            }
            left -= entry.space();
            if let Some(row) = rows.last_mut() {
                row.push(entry);
            }
        }
        Ok(rows)
    }
}

/// A curve in the legend.
struct Entry<'a> {
    name: &'a str,
    colour: &'static RGBColor,
    width: f64,
}

impl Entry<'_> {
    /// Points it takes: a short line, the name, and the distance to its neighbour.
    fn space(&self) -> f64 {
        self.width + 7.0 + 18.0 + 16.0
    }
}
