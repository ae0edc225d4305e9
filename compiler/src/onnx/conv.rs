//! Convolutions: contractions one of whose operands is read at sums of a place and a step of a window.

use super::expression::{Scope, Term};
use super::proto::Attribute;
use crate::ir::{ExprId, Node};
use crate::optimise::contraction::{Contraction, Operand};

/// Stands for the variable of an axis that has none.
const NONE: u32 = u32::MAX;

/// What a window does along one axis of the input.
struct Window {
    /// The variable of the result's place, and of the place in the window.
    place: u32,
    inner: u32,
    stride: i64,
    dilation: i64,
    /// Zeros before and after the input.
    pads: (i64, i64),
}

impl Scope<'_, '_> {
    /// The contraction as a `Conv` node, if it is one: `[sample, channel, places..]` by `[filter, channel, window..]`.
    pub fn convolution(&mut self, seen: &Contraction) -> Option<Term> {
        self.convolved(&seen.a, &seen.b).or_else(|| self.convolved(&seen.b, &seen.a))
    }

    fn convolved(&mut self, input: &Operand, weights: &Operand) -> Option<Term> {
        let module = self.export.module;
        // An axis of one element, read at zero, has no variable.
        let whole = |(p, extent): (&ExprId, &usize)| match module.node(*p) {
            Node::Var(v) if self.extent(*v) == *extent => Some(*v),
            Node::Int(0) if *extent == 1 => Some(NONE),
            _ => None,
        };
        let rank = module.t(self.def.target).shape.len() as u32;
        let axes: Vec<u32> =
            weights.at.iter().zip(&module.t(weights.tensor).shape).map(whole).collect::<Option<_>>()?;
        if weights.outside.is_some() {
            return None;
        }
        let [filter] = axes.iter().copied().filter(|v| *v < rank).collect::<Vec<_>>()[..] else { return None };
        let (mut sample, mut channel, mut windows) = (None, None, vec![]);
        let shape = module.t(input.tensor).shape.clone();
        for (p, extent) in input.at.iter().zip(&shape) {
            match whole((p, extent)).filter(|_| windows.is_empty()) {
                Some(v) if v < rank && sample.is_none() => sample = Some(v),
                Some(v) if v >= rank && channel.is_none() => channel = Some(v),
                _ => windows.push(self.window(*p, *extent, rank)?),
            }
        }
        let (sample, channel) = (sample?, channel?);
        let padded = windows.iter().any(|w| w.pads != (0, 0));
        if windows.is_empty() || windows.len() > 3 || (padded && input.outside != Some(0.0)) || filter == sample {
            return None;
        }
        let order: Vec<u32> = [filter, channel].into_iter().chain(windows.iter().map(|w| w.inner)).collect();
        let same = |a: &[u32], b: &[u32]| a.len() == b.len() && a.iter().all(|v| b.contains(v));
        let result: Vec<u32> = [sample, filter].into_iter().chain(windows.iter().map(|w| w.place)).collect();
        if !same(&order, &axes) || !same(&result, &(0..rank).collect::<Vec<_>>()) {
            return None;
        }
        let w = self.export.names.get(&weights.tensor)?.clone();
        let x = self.export.names.get(&input.tensor)?.clone();
        let w = self.transposed(w, &axes, &order);
        let each = |f: fn(&Window) -> i64| Attribute::Ints(windows.iter().map(f).collect());
        let pads = windows.iter().map(|w| w.pads.0).chain(windows.iter().map(|w| w.pads.1)).collect();
        let attributes =
            [("strides", each(|w| w.stride)), ("dilations", each(|w| w.dilation)), ("pads", Attribute::Ints(pads))];
        let name = self.export.graph.node("Conv", &[&x, &w], &attributes);
        Some(self.in_order(name, result))
    }

    /// A position `stride * place + dilation * inner + offset`, whose window fits the input with zeros around it.
    fn window(&self, p: ExprId, extent: usize, rank: u32) -> Option<Window> {
        let linear = self.export.module.linear(p);
        let var = |id: ExprId| if let Node::Var(v) = self.export.module.node(id) { Some(*v) } else { None };
        let [(first, a), (second, b)] = linear.terms[..] else { return None };
        let (first, second) = (var(first)?, var(second)?);
        let ((place, stride), (inner, dilation)) =
            if first < rank { ((first, a), (second, b)) } else { ((second, b), (first, a)) };
        if place >= rank || inner < rank || stride < 1 || dilation < 1 || linear.offset > 0 {
            return None;
        }
        let reach = dilation * (self.extent(inner) as i64 - 1);
        let last = stride * (self.extent(place) as i64 - 1) + reach + linear.offset;
        let after = (last - (extent as i64 - 1)).max(0);
        let places = (extent as i64 - linear.offset + after - reach - 1) / stride + 1;
        (places == self.extent(place) as i64).then_some(Window {
            place,
            inner,
            stride,
            dilation,
            pads: (-linear.offset, after),
        })
    }
}
