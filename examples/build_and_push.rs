//! Builds a crate into an image and pushes it:
//!
//! ```sh
//! cargo run --example build_and_push -- localhost:5000/team path/to/crate
//! ```

use std::error::Error;

use ko_rs::pipeline::{Request, Session};
use ko_rs::report::Reporter;
use ko_rs::settings::{self, Environment, Flags, Key};

#[tokio::main]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its results")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(repo), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: build_and_push REPOSITORY FOLDER".into());
    };

    // Settings come from flags, the environment and `.ko-rs.yaml`, as for the program.
    let flags = Flags([(Key::Repo, vec![repo])].into());
    let reporter = Reporter::new();
    let complete = settings::complete(flags, &Environment::current()?, &reporter)?;
    let session = Session::new(complete.settings, reporter);

    // A plan is a value: what is built how, and where it goes. Nothing has been built yet.
    let plan = session.plan(Request::Crates(&[folder])).await?;
    eprintln!("{plan}");

    // Compiles, makes the images and pushes them.
    for built in session.run(&plan).await? {
        println!("{}", built.published.reference);
    }
    session.close();
    Ok(())
}
