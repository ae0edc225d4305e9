//! Draws by counter ([`nnc_core::random`]) in bulk, as streams, and as random orders.

use nnc_core::numeric::plain::PlainF64;
use nnc_core::random::{Distribution, draws, normals, philox};

/// Where draws are made: everything that tells them apart but sample and element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The program's seed.
    pub seed: u64,
    /// The draw site: a hash of the instance path and use number.
    pub site: u32,
    /// The step; with [`nnc_core::random::EVALUATION`] set in evaluation.
    pub step: u64,
}

impl Place {
    /// The four random words of an element block of a sample.
    #[inline(always)]
    fn words(self, block: u32, sample: u32) -> [u32; 4] {
        let key = [self.seed as u32, (self.seed >> 32) as u32 ^ (self.step >> 32) as u32];
        philox(&mut PlainF64, [block, sample, self.step as u32, self.site], key)
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
    kernel(lanes, place, Distribution::Uniform)
}

#[inline(always)]
fn normal_kernel(lanes: &Lanes, place: Place) -> [[f64; LANES]; 4] {
    kernel(lanes, place, Distribution::Normal)
}

/// Lane by lane, in loops that become vector instructions.
#[inline(always)]
fn kernel(lanes: &Lanes, place: Place, distribution: Distribution) -> [[f64; LANES]; 4] {
    let mut out = [[0.0; LANES]; 4];
    for lane in 0..LANES {
        let words = place.words(lanes.block[lane], lanes.sample[lane]);
        let values = draws(&mut PlainF64, distribution, words);
        for (out, value) in out.iter_mut().zip(values) {
            out[lane] = value;
        }
    }
    out
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
            self.words = self.place.words(self.next_block, self.sample);
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
        let words = [self.word(), self.word()];
        normals(&mut PlainF64, words[0], words[1])[0]
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
    use nnc_core::random::EVALUATION;

    const PLACE: Place = Place { seed: 42, site: 7, step: 3 };

    #[test]
    fn fill_follows_the_documented_layout() {
        let mut out = [0f32; 10];
        fill(&mut out, Distribution::Uniform, PLACE, 5, 11, 0);
        let second = philox(&mut PlainF64, [1, 12, 3, 7], [42, 0]);
        assert_eq!(out[9], (second[0] >> 8) as f32 / 16_777_216.0);
        fill(&mut out, Distribution::Uniform, Place { step: EVALUATION | 3, ..PLACE }, 5, 11, 0);
        assert_eq!(out[0], (philox(&mut PlainF64, [0, 11, 3, 7], [42, 1 << 31])[0] >> 8) as f32 / 16_777_216.0);
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
