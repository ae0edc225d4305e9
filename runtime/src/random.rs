//! Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random
//! numbers: as easy as 1, 2, 3", 2011). A number is a pure function of where it is used, so draws
//! are the same for any number of threads, any cutting of the work and after any resume.
//!
//! Layout. Key: the seed; its upper word takes the upper word of the step by exclusive or (so
//! seeds below 2^32 never meet). Counter words: element block (four elements each), sample, lower
//! word of the step, site. A draw that is not per sample uses sample 0. Scan turns are elements.
//!
//! Uniform draws are 24 bits, exact in f32, and the same number in f64. Normal draws are computed
//! in f64 by Box and Muller's transform and rounded for f32. Only `+ - * / sqrt` and bit operations
//! are used, in a fixed order, so every machine gives the same bits.

use nnc_core::random::{Distribution, MULTIPLIERS, TWO_52, WEYL};

/// Where draws are made: everything that tells them apart but sample and element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The program's seed.
    pub seed: u64,
    /// The draw site: a hash of the instance path and use number.
    pub site: u32,
    /// The step; with [`EVALUATION`] set in evaluation.
    pub step: u64,
}

impl Place {
    fn key(self) -> [u32; 2] {
        [self.seed as u32, (self.seed >> 32) as u32 ^ (self.step >> 32) as u32]
    }
}

/// A precision that draws can be made in.
pub trait Real: Copy {
    /// The nearest number of this precision.
    fn rounded(value: f64) -> Self;
}

impl Real for f32 {
    fn rounded(value: f64) -> Self {
        value as f32
    }
}

impl Real for f64 {
    fn rounded(value: f64) -> Self {
        value
    }
}

/// Fills `out` with the draws of consecutive samples, `per_sample` elements each, starting at
/// element `first` of sample `first_sample`. Element e of sample s is the same number however the
/// range is cut. A draw that is not per sample is sample 0 with all its elements.
///
/// `first` lies below `per_sample`; a sample has fewer than 2^34 elements.
pub fn fill<F: Real>(
    out: &mut [F],
    distribution: Distribution,
    place: Place,
    per_sample: usize,
    first_sample: u64,
    first: usize,
) {
    debug_assert!(first < per_sample.max(1), "element {first} of {per_sample}");
    let blocks: fn(&Lanes, Place) -> [[f64; LANES]; 4] = match distribution {
        Distribution::Uniform => uniform_lanes,
        Distribution::Normal => normal_lanes,
    };
    let (mut sample, mut element, mut done) = (first_sample, first, 0);
    while done < out.len() {
        let mut lanes = Lanes::default();
        let mut parts = [(0, 0, 0); LANES];
        let mut used = 0;
        while used < LANES && done < out.len() {
            let skip = element % 4;
            let take = (4 - skip).min(per_sample - element).min(out.len() - done);
            lanes.block[used] = (element / 4) as u32;
            lanes.sample[used] = sample as u32;
            parts[used] = (done, skip, take);
            used += 1;
            done += take;
            element += take;
            if element == per_sample {
                (sample, element) = (sample + 1, 0);
            }
        }
        let values = blocks(&lanes, place);
        for (lane, &(start, skip, take)) in parts[..used].iter().enumerate() {
            for k in 0..take {
                out[start + k] = F::rounded(values[skip + k][lane]);
            }
        }
    }
}

/// How many Philox blocks are computed side by side.
const LANES: usize = 16;

/// Counter words that differ between lanes.
#[derive(Default)]
struct Lanes {
    block: [u32; LANES],
    sample: [u32; LANES],
}

/// Instantiates a kernel for the vector units of x86-64 and picks one at run time. The kernels do
/// the same operations in the same order, so the choice cannot be seen in the results.
macro_rules! by_vector_unit {
    ($name:ident, $kernel:ident) => {
        fn $name(lanes: &Lanes, place: Place) -> [[f64; LANES]; 4] {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq")]
                fn wide(lanes: &Lanes, place: Place) -> [[f64; LANES]; 4] {
                    $kernel(lanes, place)
                }
                #[target_feature(enable = "avx2")]
                fn middle(lanes: &Lanes, place: Place) -> [[f64; LANES]; 4] {
                    $kernel(lanes, place)
                }
                if is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512dq") {
                    // SAFETY: the processor has the features (avx512vl includes avx512f).
                    return unsafe { wide(lanes, place) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has the feature.
                    return unsafe { middle(lanes, place) };
                }
            }
            $kernel(lanes, place)
        }
    };
}

by_vector_unit!(uniform_lanes, uniform_kernel);
by_vector_unit!(normal_lanes, normal_kernel);

#[inline(always)]
fn uniform_kernel(lanes: &Lanes, place: Place) -> [[f64; LANES]; 4] {
    philox_lanes(lanes, place).map(|word| word.map(uniform24))
}

#[inline(always)]
fn normal_kernel(lanes: &Lanes, place: Place) -> [[f64; LANES]; 4] {
    let words = philox_lanes(lanes, place);
    let mut out = [[0.0; LANES]; 4];
    for pair in [0, 2] {
        for lane in 0..LANES {
            (out[pair][lane], out[pair + 1][lane]) = box_muller(words[pair][lane], words[pair + 1][lane]);
        }
    }
    out
}

/// One round.
#[inline(always)]
fn round(c: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let a = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
    let b = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
    [(b >> 32) as u32 ^ c[1] ^ key[0], b as u32, (a >> 32) as u32 ^ c[3] ^ key[1], a as u32]
}

/// The four random words of a counter under a key.
#[must_use]
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for turn in 0..10 {
        if turn > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        counter = round(counter, key);
    }
    counter
}

#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "four arrays in step")]
fn philox_lanes(lanes: &Lanes, place: Place) -> [[u32; LANES]; 4] {
    let mut c = [lanes.block, lanes.sample, [place.step as u32; LANES], [place.site; LANES]];
    let mut key = place.key();
    for turn in 0..10 {
        if turn > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        for lane in 0..LANES {
            [c[0][lane], c[1][lane], c[2][lane], c[3][lane]] =
                round([c[0][lane], c[1][lane], c[2][lane], c[3][lane]], key);
        }
    }
    c
}

/// The upper 24 bits as a number in [0, 1).
#[inline(always)]
fn uniform24(word: u32) -> f64 {
    f64::from((word >> 8) as i32) * (1.0 / 16_777_216.0)
}

/// Two independent standard normal numbers: a radius from the first word, an angle from the second.
#[inline(always)]
fn box_muller(a: u32, b: u32) -> (f64, f64) {
    let radius = (-2.0 * log_unit(a)).sqrt();
    let (sin, cos) = sin_cos_turn(b);
    (radius * cos, radius * sin)
}

/// Natural logarithm of (word + 1/2) / 2^32, by log m = 2 artanh((m - 1) / (m + 1)).
#[inline(always)]
fn log_unit(word: u32) -> f64 {
    let odd = (u64::from(word) << 1) | 1;
    let bits = (f64::from_bits(TWO_52.to_bits() | odd) - TWO_52).to_bits();
    // Split at sqrt(1/2) so that |log m| is at most log(2) / 2.
    let shifted = bits.wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits());
    let exponent = f64::from_bits(TWO_52.to_bits() | ((shifted >> 52) & 0x7ff)) - TWO_52;
    let m = f64::from_bits(bits.wrapping_sub(shifted & 0x7ff0_0000_0000_0000));
    let s = (m - 1.0) / (m + 1.0);
    let q = s * s;
    let mut series = 1.0 / 21.0;
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        series = series * q + 1.0 / odd;
    }
    (exponent - 33.0) * std::f64::consts::LN_2 + 2.0 * s * series
}

/// Sine and cosine of word / 2^32 turns: the nearest quarter turn and a rest within an eighth.
#[inline(always)]
pub(crate) fn sin_cos_turn(word: u32) -> (f64, f64) {
    let quarter = word.wrapping_add(1 << 29) >> 30;
    let rest = word.wrapping_sub(quarter << 30) as i32;
    let x = f64::from(rest) * (std::f64::consts::TAU / 4_294_967_296.0);
    let q = x * x;
    let (mut sin, mut cos) = (1.0, 1.0);
    // Nested Taylor series: sin x = x (1 - q/(2*3) (1 - q/(4*5) (..))), cosine likewise.
    for k in [16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0] {
        sin = 1.0 - q * sin * (1.0 / (k * (k + 1.0)));
        cos = 1.0 - q * cos * (1.0 / (k * (k - 1.0)));
    }
    sin *= x;
    let (s, c) = if quarter & 1 == 0 { (sin, cos) } else { (cos, sin) };
    (if quarter & 2 == 0 { s } else { -s }, if (quarter + 1) & 2 == 0 { c } else { -c })
}

/// A stream of numbers in sequence, for shuffles and generated data sets.
#[derive(Clone, Debug)]
pub struct Generator {
    place: Place,
    sample: u32,
    next_block: u32,
    words: [u32; 4],
    left: usize,
}

impl Generator {
    /// The stream of `place` and `sample`.
    #[must_use]
    pub fn new(place: Place, sample: u32) -> Self {
        Self { place, sample, next_block: 0, words: [0; 4], left: 0 }
    }

    /// 32 random bits.
    pub fn word(&mut self) -> u32 {
        if self.left == 0 {
            let Place { site, step, .. } = self.place;
            self.words = philox([self.next_block, self.sample, step as u32, site], self.place.key());
            self.next_block = self.next_block.wrapping_add(1);
            self.left = 4;
        }
        self.left -= 1;
        self.words[3 - self.left]
    }

    /// 64 random bits.
    pub fn long(&mut self) -> u64 {
        u64::from(self.word()) | u64::from(self.word()) << 32
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.long() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// Mean 0, deviation 1.
    pub fn normal(&mut self) -> f64 {
        box_muller(self.word(), self.word()).0
    }

    /// A whole number below `n` (which is at least 1), every one equally likely: the upper half of a
    /// product, with the few values drawn again that would favour some numbers (Lemire, 2019).
    pub fn below(&mut self, n: u64) -> u64 {
        let mut product = u128::from(self.long()) * u128::from(n);
        let unfair = n.wrapping_neg() % n;
        while (product as u64) < unfair {
            product = u128::from(self.long()) * u128::from(n);
        }
        (product >> 64) as u64
    }
}

/// The sites of the runtime's own draws; those of a program are hashes, and meet these only as
/// often as they meet each other.
pub mod sites {
    /// The order of an epoch.
    pub const ORDER: u32 = 0x6f72_6465;
    /// The choice of validation samples.
    pub const SPLIT: u32 = 0x7370_6c69;
    /// Generated data sets.
    pub const DATA: u32 = 0x6461_7461;
}

/// The numbers 0 to below `n` in an order that is a function of the seed, the epoch and `n`
/// (Fisher and Yates).
#[must_use]
pub fn random_order(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    let mut order = vec![0; n];
    reorder(&mut order, seed, epoch);
    order
}

/// As [`random_order`], of as many numbers as there is room for.
pub fn reorder(order: &mut [u32], seed: u64, epoch: u64) {
    let mut generator = Generator::new(Place { seed, site: sites::ORDER, step: epoch }, 0);
    order.iter_mut().zip(0..).for_each(|(place, number)| *place = number);
    for i in (1..order.len()).rev() {
        order.swap(i, generator.below(i as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { seed: 42, site: 7, step: 3 };

    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn fill_follows_the_documented_layout() {
        let mut out = [0f32; 10];
        fill(&mut out, Distribution::Uniform, PLACE, 5, 11, 0);
        let second = philox([1, 12, 3, 7], [42, 0]);
        assert_eq!(out[9], (second[0] >> 8) as f32 / 16_777_216.0);
        fill(&mut out, Distribution::Uniform, Place { step: EVALUATION | 3, ..PLACE }, 5, 11, 0);
        assert_eq!(out[0], (philox([0, 11, 3, 7], [42, 1 << 31])[0] >> 8) as f32 / 16_777_216.0);
    }

    #[test]
    fn cutting_changes_nothing() {
        for distribution in [Distribution::Uniform, Distribution::Normal] {
            for per_sample in [1, 3, 4, 7, 64, 1000] {
                let total = per_sample * 9;
                let mut whole = vec![0f32; total];
                fill(&mut whole, distribution, PLACE, per_sample, 5, 0);
                let mut exact = vec![0f64; total];
                fill(&mut exact, distribution, PLACE, per_sample, 5, 0);
                assert!(whole.iter().zip(&exact).all(|(a, b)| *a == *b as f32));
                for cut in [1, 2, 5, total / 2, total - 1] {
                    let mut part = vec![0f32; total - cut];
                    fill(&mut part, distribution, PLACE, per_sample, 5 + (cut / per_sample) as u64, cut % per_sample);
                    assert_eq!(part, whole[cut..], "{per_sample} elements, cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn vector_units_agree() {
        let lanes = || Lanes { block: std::array::from_fn(|i| i as u32), sample: [9; LANES] };
        assert_eq!(normal_lanes(&lanes(), PLACE), normal_kernel(&lanes(), PLACE));
        assert_eq!(uniform_lanes(&lanes(), PLACE), uniform_kernel(&lanes(), PLACE));
    }

    #[test]
    fn elementary_functions_are_accurate() {
        let mut generator = Generator::new(PLACE, 0);
        let edges = [0, 1, u32::MAX, 1 << 29, (1 << 29) - 1, 1 << 30, 1 << 31, 3 << 30, 0xb504_f333, 0xb504_f334];
        for word in edges.into_iter().chain((0..100_000).map(|_| generator.word())) {
            let exact = ((f64::from(word) + 0.5) / 4_294_967_296.0).ln();
            assert!((log_unit(word) - exact).abs() <= 4e-16 * exact.abs().max(0.5), "log of {word}");
            let (s, c) = sin_cos_turn(word);
            let angle = f64::from(word) / 4_294_967_296.0 * std::f64::consts::TAU;
            assert!((s - angle.sin()).abs() < 1e-15 && (c - angle.cos()).abs() < 1e-15, "angle {word}");
        }
    }

    #[test]
    fn moments() {
        let mut out = vec![0f64; 400_000];
        fill(&mut out, Distribution::Uniform, PLACE, 1000, 0, 0);
        let mean = |f: &dyn Fn(f64) -> f64, v: &[f64]| v.iter().map(|x| f(*x)).sum::<f64>() / v.len() as f64;
        assert!((mean(&|x| x, &out) - 0.5).abs() < 2e-3);
        assert!((mean(&|x| x * x, &out) - 1.0 / 3.0).abs() < 2e-3);
        assert!(out.iter().all(|x| (0.0..1.0).contains(x)));
        fill(&mut out, Distribution::Normal, PLACE, 1000, 0, 0);
        for (power, expected, bound) in [(1, 0.0, 0.01), (2, 1.0, 0.01), (3, 0.0, 0.03), (4, 3.0, 0.08)] {
            assert!((mean(&|x| x.powi(power), &out) - expected).abs() < bound, "moment {power}");
        }
        let neighbours = out.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / out.len() as f64;
        assert!(neighbours.abs() < 0.01);
    }

    #[test]
    fn permutations_are_permutations() {
        for n in [0, 1, 2, 10, 1000] {
            let mut order = random_order(1, 2, n);
            assert_eq!(order, random_order(1, 2, n));
            order.sort_unstable();
            assert_eq!(order, (0..n as u32).collect::<Vec<_>>());
        }
        assert_ne!(random_order(1, 2, 100), random_order(1, 3, 100));
        assert_ne!(random_order(1, 2, 100), random_order(2, 2, 100));
    }

    #[test]
    fn below_is_fair() {
        let mut generator = Generator::new(PLACE, 1);
        let mut counts = [0; 6];
        for _ in 0..60_000 {
            counts[generator.below(6) as usize] += 1;
        }
        assert!(counts.iter().all(|c| (9_600..10_400).contains(c)), "{counts:?}");
        assert_eq!(generator.below(1), 0);
    }
}
