//! Numbers in settings and shapes that are larger than anything that can be computed.

use super::{SETTINGS, program, refused};

fn checked(body: &str, settings: &str) -> String {
    refused("shapes", "check FILE", &program("", body, settings), 1)
}

#[test]
fn a_tensor_too_large_for_any_machine() {
    let said = checked(
        "    z[i, j, k]: [65536, 65536, 65536] = x[0]\n    h[i]: [4] = z[i, 0, 0]\n    h |> dense(1) as fc",
        SETTINGS,
    );
    assert!(said.contains("too-large"), "{said}");
}

#[test]
fn a_loop_of_a_million_turns() {
    let said = checked("    h = for l in 1..1000000 with h = x { tanh(h) }\n    h |> dense(1) as fc", SETTINGS);
    assert!(said.contains("a loop of more than"), "{said}");
}

/// Ten thousand turns of ten thousand: each is allowed, both are not.
#[test]
fn loops_in_loops() {
    let body =
        "    h = for l in 1..10000 with h = x { for k in 1..10000 with g = h { tanh(g) } }\n    h |> dense(1) as fc";
    let said = checked(body, SETTINGS);
    assert!(said.contains("has more than"), "{said}");
}
