//! An axis: from data to a range, round ticks in it and their labels.

/// A range of numbers and where it is marked.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Positions of the ticks, ascending.
    pub ticks: Vec<f64>,
    /// Distance of the ticks, which tells how many decimals labels need.
    step: f64,
}

impl Axis {
    /// An axis that shows all of `values` (finite; for a logarithmic one only those above zero
    /// count), with about `wanted` ticks. `snug` leaves no room at the ends.
    #[must_use]
    pub fn new(values: &[f64], logarithmic: bool, wanted: usize, snug: bool) -> Self {
        let shown = || values.iter().copied().filter(|v| v.is_finite() && (!logarithmic || *v > 0.0));
        let (low, high) = (shown().fold(f64::INFINITY, f64::min), shown().fold(f64::NEG_INFINITY, f64::max));
        let (low, high) = if low <= high { (low, high) } else { (0.1, 1.0) };
        if logarithmic { Self::logarithmic(low, high, snug) } else { Self::linear(low, high, wanted, snug, values) }
    }

    fn linear(low: f64, high: f64, wanted: usize, snug: bool, values: &[f64]) -> Self {
        let (mut low, mut high) = widened(low, high);
        if !snug {
            let room = 0.05 * (high - low);
            let share = low >= 0.0 && high <= 1.0;
            // Zero belongs to the picture when it is near; a share never passes one.
            low = if low >= 0.0 && low < 0.4 * high { 0.0 } else { low - room };
            high = if share { (high + room).min(1.0) } else { high + room };
        }
        let whole = snug && values.iter().all(|v| v.fract() == 0.0);
        let step = round_step((high - low) / wanted as f64, if whole { 1.0 } else { 0.0 });
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|i| i as f64 * step).collect();
        Self { low, high, logarithmic: false, ticks, step }
    }

    fn logarithmic(low: f64, high: f64, snug: bool) -> Self {
        let (low, high) = if high < low * 1.01 { (low / 2.0, high * 2.0) } else { (low, high) };
        let room = if snug { 1.0 } else { (high / low).powf(0.04) };
        let (low, high) = (low / room, high * room);
        let decades = (high / low).log10();
        let marks: &[f64] = if decades > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        // With very many decades, only every so many are marked.
        let every = (decades / 7.0).ceil().max(1.0) as usize;
        let exponents = (low.log10().floor() as i32..=high.log10().ceil() as i32).step_by(every);
        let ticks = exponents.flat_map(|e| marks.iter().map(move |m| format!("{m}e{e}").parse().unwrap_or(*m)));
        let ticks = ticks.filter(|t| (low * 0.999..=high * 1.001).contains(t)).collect();
        Self { low, high, logarithmic: true, ticks, step: 0.0 }
    }

    /// Where on the axis a value lies: 0 at the low end, 1 at the high end. `None` if nowhere.
    #[must_use]
    pub fn place(&self, value: f64) -> Option<f64> {
        let place = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.is_finite().then_some(place)
    }

    /// The text of a tick.
    #[must_use]
    pub fn label(&self, tick: f64) -> String {
        let size = if self.logarithmic { tick } else { self.low.abs().max(self.high.abs()) };
        if !(1e-4..1e6).contains(&size) {
            return if tick == 0.0 { "0".to_string() } else { scientific(tick) };
        }
        let step = if self.logarithmic { tick } else { self.step };
        // Enough decimals to tell the step exactly, at most ten.
        let decimals = (0..10).find(|d| near_whole(step * 10f64.powi(*d))).unwrap_or(10) as usize;
        grouped(&format!("{tick:.decimals$}")).replace('-', "−")
    }
}

/// A range of some width, also around a single number.
fn widened(low: f64, high: f64) -> (f64, f64) {
    if high > low {
        return (low, high);
    }
    let room = if low == 0.0 { 1.0 } else { 0.1 * low.abs() };
    (low - room, high + room)
}

/// The least of 1, 2, 2.5 and 5 times a power of ten that is not below `rough` or `least`.
fn round_step(rough: f64, least: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * power);
    let fits = |s: &f64| *s >= rough * 0.999 && (least == 0.0 || s.fract() == 0.0);
    steps.into_iter().find(fits).unwrap_or(10.0 * power).max(least)
}

/// With an exponent: `2.5e−9`.
fn scientific(x: f64) -> String {
    format!("{x:.1e}").replace(".0e", "e").replace('-', "−")
}

fn near_whole(x: f64) -> bool {
    (x - x.round()).abs() <= 1e-6 * x.abs().max(1e-300)
}

/// Commas between groups of three digits, from 10,000 on.
fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |d| ("-", d));
    let (whole, rest) = digits.split_once('.').map_or((digits, String::new()), |(w, r)| (w, format!(".{r}")));
    if whole.len() < 5 {
        return number.to_string();
    }
    let groups: Vec<&str> = whole.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    format!("{sign}{}{rest}", groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], logarithmic: bool, snug: bool) -> Vec<String> {
        let axis = Axis::new(values, logarithmic, 5, snug);
        axis.ticks.iter().map(|t| axis.label(*t)).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&[0.02, 2.3], false, false), ["0.0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(labels(&[0.91, 0.99], false, false), ["0.92", "0.94", "0.96", "0.98"]);
        assert_eq!(labels(&[1.0, 4.0], false, true), ["1", "2", "3", "4"]);
        assert_eq!(labels(&[0.0, 23_000.0], false, true), ["0", "5000", "10,000", "15,000", "20,000"]);
        assert_eq!(labels(&[-3.0, 3.0], false, false), ["−2", "0", "2"]);
        assert_eq!(labels(&[1e-4, 1.0], true, false), ["0.0001", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(&[0.3, 4.0], true, false), ["0.5", "1", "2"]);
        assert_eq!(labels(&[1e-9, 3e-9], false, false), ["0", "1e−9", "2e−9", "3e−9"]);
    }

    #[test]
    fn odd_data_still_has_an_axis() {
        for values in [&[][..], &[f64::NAN], &[5.0], &[0.0, 0.0], &[-1.0], &[f64::INFINITY, 1.0], &[1e300, -1e300]] {
            for logarithmic in [false, true] {
                let axis = Axis::new(values, logarithmic, 5, false);
                assert!(axis.ticks.len() < 50, "{values:?}: {axis:?}");
                assert!(axis.ticks.iter().all(|t| axis.place(*t).is_some()), "{values:?}: {axis:?}");
            }
        }
    }
}
