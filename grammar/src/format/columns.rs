//! Columns: tokens of neighbouring lines that stood below each other, with room left for it, stand so again.

use super::Line;
use std::collections::BTreeMap;

/// A token by line and place in the line.
type At = (usize, usize);

/// Widens gaps so that columns are kept.
pub(super) fn align(lines: &mut [Line]) {
    let columns = columns(lines);
    // A column moves right as far as its widest line asks; those after it may have to follow.
    let mut wanted: BTreeMap<At, usize> = BTreeMap::new();
    loop {
        let mut changed = false;
        for (token, head) in &columns {
            let natural = place(lines, *token);
            let column = wanted.entry(*head).or_insert(0);
            changed |= natural > *column;
            *column = natural.max(*column);
        }
        for (token, head) in &columns {
            let missing = wanted[head].saturating_sub(place(lines, *token));
            lines[token.0].gaps[token.1 - 1] += missing;
            changed |= missing > 0;
        }
        if !changed {
            return;
        }
    }
}

/// The tokens that belong to a column, with the first token of it.
fn columns(lines: &[Line]) -> BTreeMap<At, At> {
    let mut heads: BTreeMap<At, At> = BTreeMap::new();
    for below in 1..lines.len() {
        if lines[below].after_blank || lines[below].indent != lines[below - 1].indent {
            continue;
        }
        for (k, piece) in lines[below].pieces.iter().enumerate().skip(1) {
            let above = &lines[below - 1].pieces;
            let Some(j) = above.iter().position(|p| p.column == piece.column).filter(|j| *j > 0) else { continue };
            let room = above[j].before > 1 || piece.before > 1;
            let may_be_wide = lines[below].gaps[k - 1] > 0 && lines[below - 1].gaps[j - 1] > 0;
            if room && may_be_wide {
                let head = *heads.entry((below - 1, j)).or_insert((below - 1, j));
                heads.insert((below, k), head);
            }
        }
    }
    heads
}

/// The column where a token would stand now.
fn place(lines: &[Line], (line, token): At) -> usize {
    let line = &lines[line];
    let before: usize = (0..token).map(|k| line.pieces[k].width() + line.gaps[k]).sum();
    line.indent + before
}
