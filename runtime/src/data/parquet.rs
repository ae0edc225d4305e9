//! Parquet, a format of tables: placeholder
use super::error::{DataError, Kind, Result};
use super::files::Files;
use super::table::Table;

pub fn load(files: &Files, name: &str, _label: Option<&str>) -> Result<Table> {
    let path = files.find(name)?;
    Err(DataError::new(Kind::Request, "not built in").in_file(&path))
}
