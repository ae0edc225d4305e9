"""Writes table.parquet, which the tests read. Needs pyarrow."""

import pyarrow
import pyarrow.parquet

columns = {
    "size": pyarrow.array([0.5, 1.5, -2.0], pyarrow.float64()),
    "count": pyarrow.array([3, 0, 70_000], pyarrow.int64()),
    "gap": pyarrow.array([1, None, 2], pyarrow.int32()),
    "kind": pyarrow.array(["setosa", "iris", "setosa"]),
}
pyarrow.parquet.write_table(pyarrow.table(columns), "table.parquet", compression="snappy")
