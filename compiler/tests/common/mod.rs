//! Shared by the tests that compute: a gradient checked three ways.

use nnc_compiler::differentiate::{forward, reverse};
use nnc_compiler::ir::interpret::{Choices, Values, interpret, interpret_noting};
use nnc_compiler::ir::random::Generator;
use nnc_compiler::ir::{Combine, Draw, Item, Module, Node, Role, Tensor, TensorId};
use nnc_compiler::scalar::{Kind, Unary};
