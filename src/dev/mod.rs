//! The development loop: deploys a set of manifests, watches what it is made of, and brings each
//! change into the cluster.
//!
//! A [`Loop`] is given its manifests anew for each round, since these and the settings may have changed.
//! What happens is sent to the reporter as events; nothing is printed here. A round that fails leaves
//! the cluster as the last good one made it:
//!
//! * `scope`: which files are watched
//! * `overlay`: what objects have in a loop beside what their manifests say
//! * `set`: what differs between the objects of two rounds
//! * `record`: what a session has created, as a ConfigMap in the namespace
//! * `parts`: what the time of a round was spent on, from its events
//! * `round`: one round
//! * `down`: the deletion of what was created

pub(crate) mod codes;
mod down;
mod error;
mod input;
mod overlay;
mod parts;
mod record;
mod round;
mod run;
mod scope;
mod set;
mod shown;

pub(crate) use down::Remains;
pub(crate) use error::Error;
pub(crate) use input::Input;
pub(crate) use run::Loop;
pub(crate) use shown::Shown;
