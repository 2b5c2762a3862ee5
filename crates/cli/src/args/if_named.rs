//! Subcommands whose options are described only where the arguments name them.
//!
//! The whole command line is some 700 KB of descriptions, and making them all takes longer than hashing a small model.

use std::cell::RefCell;
use std::ffi::OsString;
use std::ops::Deref;

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

thread_local! {
    /// The arguments to describe the command line for, or nothing where all of it is wanted.
    static ARGUMENTS: RefCell<Option<Vec<OsString>>> = const { RefCell::new(None) };
}

/// The command line as far as `arguments` can need it: a subcommand that they don't name has no options.
pub(crate) fn describing(arguments: &[OsString], command: impl FnOnce() -> Command) -> Command {
    ARGUMENTS.set(Some(arguments.to_vec()));
    let command = command();
    ARGUMENTS.set(None);
    command
}

/// The arguments of a subcommand.
#[derive(Debug)]
pub(crate) struct IfNamed<T>(Box<T>);

impl<T> Deref for IfNamed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Args> Args for IfNamed<T> {
    fn augment_args(command: Command) -> Command {
        if is_named(command.get_name()) { T::augment_args(command) } else { command }
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

impl<T: FromArgMatches> FromArgMatches for IfNamed<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(|arguments| Self(Box::new(arguments)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

fn is_named(subcommand: &str) -> bool {
    ARGUMENTS.with_borrow(|arguments| match arguments {
        Some(arguments) => arguments.iter().any(|argument| argument == subcommand),
        None => true,
    })
}
