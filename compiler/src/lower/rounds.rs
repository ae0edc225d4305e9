//! Which moves belong to which objective. The parameters that an objective moves, and the states of
//! their rules, get their next values in its turn; a state that is read in several turns changes in
//! the last of them, so that each sees the value that the step began with.

use super::pass::definition_reads;
use crate::typed::{Definition, Outcome, Pass, Train, ValueId};

/// The parameters and slots whose next values are computed in the turn of objective `of`.
pub(super) fn outcomes_of(train: &Train, of: usize) -> Vec<(Outcome, ValueId)> {
    let turns = turns(&train.update, train.slots.len());
    let outcomes = train.update.outcomes.iter().zip(turns);
    outcomes
        .filter(|(o, turn)| !matches!(o.0, Outcome::GradientPoint(_)) && *turn == of)
        .map(|(o, _)| o.clone())
        .collect()
}

/// The turn of each outcome: the last of those whose gradients it reads and those that read the slot it changes.
fn turns(pass: &Pass, slots: usize) -> Vec<usize> {
    let reads: Vec<Vec<ValueId>> = pass
        .values
        .iter()
        .map(|v| {
            let mut found = vec![];
            definition_reads(&v.definition, &mut found);
            found
        })
        .collect();
    // By value: the turn in which it can be computed.
    let mut earliest = vec![0; pass.values.len()];
    for (n, value) in pass.values.iter().enumerate() {
        let own = if let Definition::Gradient { of, .. } = value.definition { of } else { 0 };
        earliest[n] = reads[n].iter().map(|id| earliest[id.0 as usize]).fold(own, usize::max);
    }
    let mut turns: Vec<usize> = pass.outcomes.iter().map(|(_, id)| earliest[id.0 as usize]).collect();
    loop {
        // By value: the last turn in which something reads it.
        let mut last = vec![0; pass.values.len()];
        for ((_, id), turn) in pass.outcomes.iter().zip(&turns) {
            last[id.0 as usize] = (*turn).max(last[id.0 as usize]);
        }
        let mut of_slot = vec![0; slots];
        for n in (0..pass.values.len()).rev() {
            for id in &reads[n] {
                last[id.0 as usize] = last[id.0 as usize].max(last[n]);
            }
            if let Definition::Slot(s) = pass.values[n].definition {
                of_slot[s] = of_slot[s].max(last[n]);
            }
        }
        let later = |(o, turn): (&(Outcome, ValueId), &usize)| match o.0 {
            Outcome::Slot(s) => of_slot[s].max(*turn),
            _ => *turn,
        };
        let next: Vec<usize> = pass.outcomes.iter().zip(&turns).map(later).collect();
        if next == turns {
            return turns;
        }
        turns = next;
    }
}
