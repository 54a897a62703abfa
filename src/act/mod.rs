//! The only writer: it carries out what was decided, and decides nothing.
//!
//! The order of one mutation, each line for an outage that the other order allows:
//!
//! 1. reserve budget and warm credentials — so that no wait comes between the pause flags' reading and the sending;
//! 2. journal the intent — so that a crash after the sending is known to the next process;
//! 3. look, then read the pause flags — so that what admits it was seen after everything that is journaled;
//! 4. [`crate::decide::guard::admit`] — so that nothing is sent that the world, as it is now, does not allow;
//! 5. send, once; a repeat is a new admission — so that a lost answer is never doubled blind;
//! 6. journal the outcome together with the memory — so that an attempt is counted exactly once.

mod actor;
mod disrupting;
mod isolate;
mod pausing;

pub use actor::{Actor, Carried, Done, Means};
pub use disrupting::Disrupting;
pub use pausing::Pausing;
