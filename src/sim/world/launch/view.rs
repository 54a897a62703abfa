//! An instance together with what EC2 shows beside it.

use std::ops::Deref;
use std::sync::Arc;

use super::super::World;
use super::super::api::Caller;
use super::super::instance::Instance;
use super::super::interfaces::Interface;

/// An instance and its network interfaces, the primary one first.
#[derive(Debug, Clone)]
pub struct InstanceView {
    pub instance: Arc<Instance>,
    pub interfaces: Vec<Arc<Interface>>,
}

impl Deref for InstanceView {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.instance
    }
}

impl InstanceView {
    /// The primary interface; a terminated instance has none.
    pub fn primary(&self) -> Option<&Interface> {
        self.interfaces.first().map(AsRef::as_ref)
    }
}

impl World {
    /// The instance with its interfaces as a read of `caller` shows them.
    pub(in crate::sim::world) fn instance_view(
        &self,
        caller: &Caller,
        instance: &Arc<Instance>,
    ) -> InstanceView {
        let ids = instance.interfaces.values();
        let seen = ids.filter_map(|id| self.interfaces.all.visible(self, caller, id));
        InstanceView {
            instance: instance.clone(),
            interfaces: seen.cloned().collect(),
        }
    }

    pub(super) fn view_in_truth(&self, instance: &Arc<Instance>) -> InstanceView {
        InstanceView {
            instance: instance.clone(),
            interfaces: self.interfaces_of(&instance.id),
        }
    }
}
