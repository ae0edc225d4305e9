//! What the text of a callable says of itself.

use grammar::ast::{self, CallableKind, TypeKind};

/// Whether a parameter is an input (a tensor) rather than a setting.
pub fn is_input(callable: &ast::Callable, param: &ast::Param) -> bool {
    if matches!(callable.kind, CallableKind::Init | CallableKind::Schedule | CallableKind::Optimizer) {
        return false;
    }
    match &param.ty {
        Some(ty) => {
            matches!(ty.kind, TypeKind::Tensor { .. } | TypeKind::Class(_) | TypeKind::Record(_) | TypeKind::Error)
        }
        None => param.default.is_none(),
    }
}

/// The word that begins a callable's definition.
pub fn kind_word(kind: ast::CallableKind) -> &'static str {
    use ast::CallableKind as K;
    match kind {
        K::Fn => "function",
        K::Layer => "layer",
        K::Model => "model",
        K::Init => "initialiser",
        K::Loss => "loss",
        K::Metric => "metric",
        K::Optimizer => "optimiser",
        K::Schedule => "schedule",
    }
}

/// `f(x, units, bias)`.
pub(super) fn signature(callable: &ast::Callable) -> String {
    let names: Vec<_> = callable.params.iter().map(|p| p.name.name.as_str()).collect();
    format!("`{}({})`", callable.name.name, names.join(", "))
}
