//! The caller's identity, Auto Scaling groups, and parameters.

use super::Reader;
use super::instances::abridged;
use super::page::{Page, odd_answer, pages};
use crate::aws::api::Api;
use crate::aws::budget::Priority;
use crate::model::{AccountId, AwsError};
use std::collections::{BTreeMap, BTreeSet};

/// Names that DescribeAutoScalingGroups takes, and groups that it puts on a page.
const MOST_GROUP_NAMES: usize = 50;

/// Names that GetParameters takes.
const MOST_PARAMETER_NAMES: usize = 10;

impl Reader {
    /// The account that the credentials belong to. Never remembered: a look that does not ask does not know.
    ///
    /// # Errors
    /// If the call failed.
    pub async fn caller_account(&self, priority: Priority) -> Result<AccountId, AwsError> {
        let request = self.identity.get_caller_identity();
        let answer = self
            .caller
            .read(Api::GetCallerIdentity, "", priority, request.send())
            .await?;
        let account = answer
            .account()
            .filter(|account| !account.is_empty())
            .map(AccountId::from);
        let account =
            account.ok_or_else(|| odd_answer(Api::GetCallerIdentity, "", "the answer names no account"))?;
        if self.caller.purse.account.is_none() {
            self.caller.budgets.learn_own_account(&account);
        }
        Ok(account)
    }

    /// The number of members of each group; `None`: there is no such group.
    ///
    /// # Errors
    /// If any page failed.
    pub async fn scaling_groups(
        &self,
        names: &BTreeSet<String>,
        priority: Priority,
    ) -> Result<BTreeMap<String, Option<u32>>, AwsError> {
        let mut groups: BTreeMap<String, Option<u32>> =
            names.iter().map(|name| (name.clone(), None)).collect();
        let names: Vec<String> = names.iter().cloned().collect();
        for names in names.chunks(MOST_GROUP_NAMES) {
            let object = abridged(names.iter().map(String::as_str));
            let listing = pages(Api::DescribeAutoScalingGroups, &object, |token| {
                let request = self
                    .scaling
                    .describe_auto_scaling_groups()
                    .set_auto_scaling_group_names(Some(names.to_vec()))
                    .set_next_token(token);
                let answer =
                    self.caller
                        .read(Api::DescribeAutoScalingGroups, &object, priority, request.send());
                async {
                    let answer = answer.await?;
                    let items = answer.auto_scaling_groups().iter().filter_map(|group| {
                        let members = u32::try_from(group.instances().len()).unwrap_or(u32::MAX);
                        Some((group.auto_scaling_group_name()?.to_owned(), members))
                    });
                    Ok(Page {
                        items: items.collect(),
                        next: answer.next_token().map(str::to_owned),
                    })
                }
            })
            .await;
            for (name, members) in listing.complete()? {
                if let Some(group) = groups.get_mut(&name) {
                    *group = Some(members);
                }
            }
        }
        Ok(groups)
    }

    /// The values of those parameters that are set, by name, as they are now: nothing is remembered.
    ///
    /// # Errors
    /// If any call failed, or a parameter is neither in the answer nor called unknown in it: then it may be set.
    pub async fn parameters(
        &self,
        names: &BTreeSet<String>,
        priority: Priority,
    ) -> Result<BTreeMap<String, String>, AwsError> {
        let mut values = BTreeMap::new();
        let names: Vec<String> = names.iter().cloned().collect();
        for names in names.chunks(MOST_PARAMETER_NAMES) {
            let object = abridged(names.iter().map(String::as_str));
            let request = self
                .parameters
                .get_parameters()
                .set_names(Some(names.to_vec()))
                .with_decryption(true);
            let answer = self
                .caller
                .read(Api::GetParameters, &object, priority, request.send())
                .await?;
            for name in names {
                let found = answer
                    .parameters()
                    .iter()
                    .find(|found| found.name() == Some(name));
                match found.map(|found| found.value()) {
                    Some(value) => values.insert(name.clone(), value.unwrap_or_default().to_owned()),
                    None if answer.invalid_parameters().contains(name) => None,
                    None => {
                        let why = "the answer says neither what it is nor that it is not set";
                        return Err(odd_answer(Api::GetParameters, name, why));
                    }
                };
            }
        }
        Ok(values)
    }
}
