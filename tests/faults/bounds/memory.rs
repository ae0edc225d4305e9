//! Memory is known from extents, before anything of that size is made.

use super::{SETTINGS, program, refused};

#[test]
fn a_layer_of_a_thousand_million_units_is_refused_with_its_largest_tensors() {
    let body = "    x |> dense(1000000000) as big |> dense(1) as fc";
    for command in ["run FILE", "check FILE --memory"] {
        let said = refused("dense", command, &program("", body, SETTINGS), 3);
        assert!(said.contains("the run needs") && said.contains("GiB"), "{said}");
        assert!(said.contains("training[8]: big.y") && said.contains("its largest buffers are"), "{said}");
    }
}

#[test]
fn memory_that_is_allowed_counts_before_tables_are_made() {
    let body = "    x |> dense(100000000) as big |> dense(1) as fc";
    let said = refused("allowed", "run FILE --memory 1G", &program("", body, SETTINGS), 3);
    assert!(said.contains("more than the 1.00 GiB allowed"), "{said}");
}

/// 4·10^9 units twice: 1.6·10^19 weights, more than 64 bits count bytes of.
#[test]
fn extents_whose_product_overflows_are_refused_by_name() {
    let body = "    x |> dense(4000000000) as one |> dense(4000000000) as two |> dense(1) as fc";
    let said = refused("overflow", "run FILE", &program("", body, SETTINGS), 1);
    assert!(said.contains("4000000000"), "{said}");
}
