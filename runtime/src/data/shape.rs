//! Shapes of samples: which one another can become by moving its axes, which ones a reshape would scramble, and the moving
//! itself.

/// How the axes of `from` are moved to become `to`, each axis the earliest that fits; `None` if they cannot.
#[must_use]
pub fn moved(from: &[usize], to: &[usize]) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = vec![];
    for extent in to {
        order.push((0..from.len()).find(|axis| from[*axis] == *extent && !order.contains(axis))?);
    }
    (from.len() == to.len()).then_some(order)
}

/// Whether a reshape only joins axes that stand side by side, or parts axes: elements that were neighbours stay so.
#[must_use]
pub fn keeps_neighbours(from: &[usize], to: &[usize]) -> bool {
    let ends = |shape: &[usize]| {
        let product = |product: &mut usize, extent: &usize| {
            *product *= extent;
            Some(*product)
        };
        let mut ends: Vec<usize> = shape.iter().rev().scan(1, product).collect();
        ends.retain(|end| *end != 1);
        ends.dedup();
        ends
    };
    let (from, to) = (ends(from), ends(to));
    from.last() == to.last() && (from.iter().all(|e| to.contains(e)) || to.iter().all(|e| from.contains(e)))
}

/// Whether a reshape would take one axis for another: the same extents in another order.
#[must_use]
pub fn scrambles(from: &[usize], to: &[usize]) -> bool {
    let ordered = |shape: &[usize]| {
        let mut shape: Vec<usize> = shape.iter().copied().filter(|d| *d != 1).collect();
        shape.sort_unstable();
        shape
    };
    ordered(from) == ordered(to) && !keeps_neighbours(from, to)
}

/// What to do about a value of one shape where another is declared.
#[must_use]
pub fn advice(from: &[usize], to: &[usize]) -> String {
    if keeps_neighbours(from, to) {
        return "add `|> reshape`".to_string();
    }
    match moved(from, to) {
        Some(order) => format!("move its axes with `|> permute({order:?})`, or declare it {from:?}"),
        None => format!("declare it {from:?}"),
    }
}

/// The extents after moving axes: axis `k` of the result is axis `order[k]` of what was there.
#[must_use]
pub fn permuted_shape(shape: &[usize], order: &[usize]) -> Vec<usize> {
    order.iter().map(|axis| shape[*axis]).collect()
}

/// The elements of samples of a shape, one behind the other, after moving axes.
#[must_use]
pub fn permuted<T: Copy>(values: &[T], shape: &[usize], order: &[usize]) -> Vec<T> {
    let width: usize = shape.iter().product();
    let strides: Vec<usize> = order.iter().map(|axis| shape[axis + 1..].iter().product()).collect();
    let new = permuted_shape(shape, order);
    // Where each element of a sample comes from.
    let mut places = vec![0usize];
    for (extent, stride) in new.iter().zip(&strides) {
        places = places.iter().flat_map(|start| (0..*extent).map(move |i| start + i * stride)).collect();
    }
    values.chunks_exact(width.max(1)).flat_map(|sample| places.iter().map(|place| sample[*place])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_moved_as_numpy_transposes() {
        // numpy.arange(6).reshape(1, 2, 3).transpose(2, 0, 1) and (0, 2, 1), two samples.
        let values: Vec<usize> = (0..12).collect();
        assert_eq!(permuted(&values, &[1, 2, 3], &[2, 0, 1]), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        assert_eq!(permuted_shape(&[1, 2, 3], &[2, 0, 1]), [3, 1, 2]);
        assert_eq!(permuted(&values[..6], &[1, 2, 3], &[0, 2, 1]), [0, 3, 1, 4, 2, 5]);
    }

    #[test]
    fn advice_never_scrambles() {
        assert_eq!(
            advice(&[32, 32, 3], &[3, 32, 32]),
            "move its axes with `|> permute([2, 0, 1])`, or declare it [32, 32, 3]"
        );
        assert_eq!(
            advice(&[3, 20, 10], &[3, 10, 20]),
            "move its axes with `|> permute([0, 2, 1])`, or declare it [3, 20, 10]"
        );
        assert_eq!(advice(&[32, 32, 3], &[3, 1024]), "declare it [32, 32, 3]");
        assert_eq!(advice(&[6, 4], &[3, 8]), "declare it [6, 4]");
        for (from, to) in
            [(&[1, 28, 28][..], &[784][..]), (&[28, 28, 1], &[1, 28, 28]), (&[64], &[8, 8]), (&[4, 5, 6], &[20, 6])]
        {
            assert_eq!(advice(from, to), "add `|> reshape`", "{from:?} {to:?}");
            assert!(!scrambles(from, to));
        }
        assert!(scrambles(&[32, 32, 3], &[3, 32, 32]) && scrambles(&[4, 6], &[6, 4]) && scrambles(&[4, 6, 1], &[6, 4]));
    }
}
