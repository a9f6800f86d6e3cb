//! The commands that run without a server: `import`, `prepare`, `sample` and `check`.
//!
//! `import` and `sample` write into a `staging` directory; `sample_painter` draws the frames of the sample.

mod check;
mod import;
mod prepare;
mod sample;
mod sample_painter;
mod staging;

pub use self::{
    check::{Check, CheckError},
    import::{Import, ImportError, ImportPlan, ImportRequest},
    prepare::{Preparation, PrepareError},
    sample::{SampleError, SampleProgress, make_sample},
};
