//! `cargo xtask bench`: measures the built `nuee` on this machine and writes `docs/performance.md`.
//!
//! A fresh server on a data directory of its own is put under the load of `cargo xtask load`; each figure is the
//! median of several runs. `--objects` measures the same operations with few and with many objects in a bucket,
//! and how long the server takes to start with them; `--slow` measures them alone and beside slow connections. It
//! judges nothing: tests decide, benchmarks measure.

mod crowd;
mod machine;
mod report;
mod scale;
mod slow;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::load::{Figures, Plan, Target};
use crate::workspace::{Workspace, run};

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Runs of each load; the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Seconds of each run
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Measure with this many objects in one bucket, instead of the table
    #[arg(long)]
    objects: Option<u64>,
    /// Bytes of each of those objects
    #[arg(long, default_value_t = 4096)]
    object_size: usize,
    /// Measure alone and beside this many slow connections [2000], instead of the table
    #[arg(long, num_args = 0..=1, default_missing_value = "2000", conflicts_with = "objects")]
    slow: Option<usize>,
    /// Measure the table with buckets that keep versions and have a policy of 50 statements
    #[arg(long, conflicts_with_all = ["objects", "slow"])]
    governed: bool,
    /// Where the server keeps its data meanwhile; on the disk to be measured [default: below the target directory]
    #[arg(long)]
    directory: Option<PathBuf>,
    /// The page to write
    #[arg(long, default_value = "docs/performance.md")]
    output: PathBuf,
}

/// Builds, measures, writes the page.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    run(&mut workspace.cargo(&["build", "--release", "--package", "nuee"]))?;
    let binary = workspace.target.join("release/nuee");
    let base = options.directory.clone().unwrap_or_else(|| workspace.target.join("bench"));
    let scratch = Scratch::make(base.join(format!("run-{}", std::process::id())))?;
    let machine = machine::describe(workspace, &scratch.directory)?;
    let output = workspace.root.join(&options.output);
    let page = std::fs::read_to_string(&output).unwrap_or_else(|_| report::TEMPLATE.to_owned());
    let page = if let Some(objects) = options.objects {
        let measured = scale::measure(&binary, &scratch.directory, options, objects)?;
        report::with_scale(&page, &machine, &measured)?
    } else if let Some(number) = options.slow {
        let measured = slow::measure(&binary, &scratch.directory, options, number)?;
        report::with_slow(&page, &machine, options, &measured)?
    } else {
        let measured = table::measure(&binary, &scratch.directory, options)?;
        report::with_table(&page, &machine, options, &measured)?
    };
    std::fs::write(&output, page).with_context(|| format!("writing {}", output.display()))?;
    println!("wrote {}", output.display());
    Ok(())
}

/// Runs one load; figures with an error in them are none.
fn load(target: &Target, plan: &Plan) -> Result<Figures> {
    let figures = crate::load::run(target, plan)?;
    println!("{}", figures.to_json());
    ensure!(figures.errors == 0, "requests failed: {}", figures.first_errors.join("; "));
    Ok(figures)
}

/// The middle value of one figure over several runs.
fn median(figures: &[Figures], value: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = figures.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A directory that goes when the measurement ends.
struct Scratch {
    directory: PathBuf,
}

impl Scratch {
    fn make(directory: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
        Ok(Self { directory })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

fn remove(directory: &Path) {
    if let Err(error) = std::fs::remove_dir_all(directory) {
        println!("{} could not be removed: {error}", directory.display());
    }
}
