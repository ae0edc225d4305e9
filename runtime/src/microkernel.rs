//! Register-tiled inner products: a block of C from one packed panel of A and one of B.
//!
//! `tile[r][c] = sum over k of a[k][r] * b[k][c]`, each element one chain of fused multiply-adds in
//! the order of k, from zero: the same bits at every vector width.

use nnc_core::number::Precision;
use nnc_core::vectors::{Block, Vectors};
use std::ops::Add;

/// The signature of a kernel: depth, panel of A, panel of B, tile to fill.
type Run<T> = unsafe fn(usize, *const T, *const T, *mut T);

/// A microkernel and the block it computes.
#[derive(Clone, Copy)]
pub struct Kernel<T> {
    /// Rows of the block: lanes of a panel of A.
    pub rows: usize,
    /// Columns of the block: lanes of a panel of B.
    pub columns: usize,
    /// Fills the row-major block.
    ///
    /// Safety: the panels hold `depth` rows of `rows` and `columns` elements, the block
    /// `rows * columns`, and the machine has the features the kernel was chosen for.
    pub run: Run<T>,
}

impl<T> Kernel<T> {
    /// The kernel of these instructions, which computes their block.
    fn new(vectors: Vectors, precision: Precision, run: Run<T>) -> Self {
        let Block { rows, columns } = vectors.block(precision);
        Self { rows, columns, run }
    }
}

/// A number type that contractions are computed in.
pub trait Float: Copy + Add<Output = Self> + 'static {
    /// Zero.
    const ZERO: Self;
    /// The kernel of these instructions, which the machine has.
    fn kernel(vectors: Vectors) -> Kernel<Self>;

    /// Four runs of four elements into four rows, `width` apart, of one element from each run.
    ///
    /// # Safety
    /// The runs are readable, the rows writable.
    unsafe fn transpose(runs: [*const Self; 4], to: *mut Self, width: usize) {
        for (l, run) in runs.iter().enumerate() {
            for k in 0..4 {
                // SAFETY: the caller's promise.
                unsafe { *to.add(k * width + l) = *run.add(k) };
            }
        }
    }
}

impl Float for f32 {
    const ZERO: Self = 0.0;
    fn kernel(vectors: Vectors) -> Kernel<Self> {
        match vectors {
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx512 => Kernel::new(vectors, Precision::F32, x86::avx512_f32),
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx2 => Kernel::new(vectors, Precision::F32, x86::avx2_f32),
            _ => Kernel::new(
                Vectors::Portable,
                Precision::F32,
                portable::<f32, { Block::PORTABLE.rows }, { Block::PORTABLE.columns }>,
            ),
        }
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn transpose(runs: [*const Self; 4], to: *mut Self, width: usize) {
        use std::arch::x86_64::{_MM_TRANSPOSE4_PS, _mm_loadu_ps, _mm_storeu_ps};
        // SAFETY: the caller's promise; every x86-64 has SSE.
        unsafe {
            let [mut a, mut b, mut c, mut d] = runs.map(|run| _mm_loadu_ps(run));
            _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
            for (k, row) in [a, b, c, d].into_iter().enumerate() {
                _mm_storeu_ps(to.add(k * width), row);
            }
        }
    }
}

impl Float for f64 {
    const ZERO: Self = 0.0;
    fn kernel(vectors: Vectors) -> Kernel<Self> {
        match vectors {
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx512 => Kernel::new(vectors, Precision::F64, x86::avx512_f64),
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx2 => Kernel::new(vectors, Precision::F64, x86::avx2_f64),
            _ => Kernel::new(
                Vectors::Portable,
                Precision::F64,
                portable::<f64, { Block::PORTABLE.rows }, { Block::PORTABLE.columns }>,
            ),
        }
    }
}

/// Fused multiply-add, for the portable kernel.
trait Fused: Float {
    fn fused(self, b: Self, c: Self) -> Self;
}

impl Fused for f32 {
    fn fused(self, b: Self, c: Self) -> Self {
        self.mul_add(b, c)
    }
}

impl Fused for f64 {
    fn fused(self, b: Self, c: Self) -> Self {
        self.mul_add(b, c)
    }
}

/// The kernel in plain Rust.
///
/// # Safety
/// As [`Kernel::run`].
unsafe fn portable<T: Fused, const R: usize, const C: usize>(depth: usize, a: *const T, b: *const T, tile: *mut T) {
    let mut sums = [[T::ZERO; C]; R];
    for k in 0..depth {
        for (r, row) in sums.iter_mut().enumerate() {
            for (c, sum) in row.iter_mut().enumerate() {
                // SAFETY: the caller's promise on the panels.
                *sum = unsafe { (*a.add(k * R + r)).fused(*b.add(k * C + c), *sum) };
            }
        }
    }
    for (r, row) in sums.iter().enumerate() {
        // SAFETY: the block holds `R * C` elements.
        unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), tile.add(r * C), C) };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// A kernel of `$rows` rows by two vectors of `$lanes` lanes.
    macro_rules! kernel {
        ($name:ident, $features:literal, $float:ty, $rows:literal, $lanes:literal,
         $zero:ident, $load:ident, $splat:ident, $fma:ident, $store:ident) => {
            /// # Safety
            /// As [`super::Kernel::run`]; the machine has the features.
            #[target_feature(enable = $features)]
            pub unsafe fn $name(depth: usize, a: *const $float, b: *const $float, tile: *mut $float) {
                let mut sums = [[$zero(); 2]; $rows];
                let (mut a, mut b) = (a, b);
                for _ in 0..depth {
                    // SAFETY: the panels hold `depth` rows.
                    unsafe {
                        let (b0, b1) = ($load(b), $load(b.add($lanes)));
                        for (r, row) in sums.iter_mut().enumerate() {
                            let x = $splat(*a.add(r));
                            row[0] = $fma(x, b0, row[0]);
                            row[1] = $fma(x, b1, row[1]);
                        }
                        a = a.add($rows);
                        b = b.add(2 * $lanes);
                    }
                }
                for (r, row) in sums.iter().enumerate() {
                    // SAFETY: the block holds all rows.
                    unsafe {
                        $store(tile.add(r * 2 * $lanes), row[0]);
                        $store(tile.add(r * 2 * $lanes + $lanes), row[1]);
                    }
                }
            }
        };
    }

    kernel!(
        avx2_f32,
        "avx2,fma",
        f32,
        6,
        8,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_storeu_ps
    );
    kernel!(
        avx2_f64,
        "avx2,fma",
        f64,
        6,
        4,
        _mm256_setzero_pd,
        _mm256_loadu_pd,
        _mm256_set1_pd,
        _mm256_fmadd_pd,
        _mm256_storeu_pd
    );
    kernel!(
        avx512_f32,
        "avx512f",
        f32,
        12,
        16,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_storeu_ps
    );
    kernel!(
        avx512_f64,
        "avx512f",
        f64,
        12,
        8,
        _mm512_setzero_pd,
        _mm512_loadu_pd,
        _mm512_set1_pd,
        _mm512_fmadd_pd,
        _mm512_storeu_pd
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The block by its definition, one chain of fused multiply-adds an element.
    fn by_definition<T: Fused>(kernel: &Kernel<T>, depth: usize, a: &[T], b: &[T]) -> Vec<T> {
        let element = |r: usize, c: usize| {
            (0..depth).fold(T::ZERO, |sum, k| a[k * kernel.rows + r].fused(b[k * kernel.columns + c], sum))
        };
        (0..kernel.rows * kernel.columns).map(|i| element(i / kernel.columns, i % kernel.columns)).collect()
    }

    fn agrees<T: Fused + PartialEq + std::fmt::Debug>(number: fn(usize) -> T) {
        let depth = 37;
        for kernel in Vectors::ALL.into_iter().filter(|v| v.is_here()).map(T::kernel) {
            let a: Vec<T> = (0..depth * kernel.rows).map(number).collect();
            let b: Vec<T> = (0..depth * kernel.columns).map(|i| number(i + 5)).collect();
            let mut tile = vec![T::ZERO; kernel.rows * kernel.columns];
            // SAFETY: panels and block have the sizes the kernel names.
            unsafe { (kernel.run)(depth, a.as_ptr(), b.as_ptr(), tile.as_mut_ptr()) };
            assert_eq!(tile, by_definition(&kernel, depth, &a, &b));
        }
    }

    #[test]
    fn every_kernel_gives_the_bits_of_the_definition() {
        agrees::<f32>(|i| ((i * 7919) % 1013) as f32 / 311.0 - 1.5);
        agrees::<f64>(|i| ((i * 7919) % 1013) as f64 / 311.0 - 1.5);
    }
}
