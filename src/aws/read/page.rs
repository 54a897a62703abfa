//! Paging, to the end or to the error.

use crate::aws::api::Api;
use crate::model::{AwsError, ErrorClass};

/// Pages that are read of one listing. With 1,000 objects a page, more is not a fleet that one process should hold, or a
/// server that repeats itself.
const MOST_PAGES: usize = 50;

/// A listing that may have broken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// What the pages had that came.
    pub items: Vec<T>,
    /// Why the rest is missing; `None`: nothing is.
    pub failed: Option<AwsError>,
}

impl<T> Listing<T> {
    /// The items, if all came.
    ///
    /// # Errors
    /// The error of the page that did not come.
    pub fn complete(self) -> Result<Vec<T>, AwsError> {
        match self.failed {
            None => Ok(self.items),
            Some(error) => Err(error),
        }
    }
}

/// One page, and the token of the next.
pub(super) struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// Reads page after page.
pub(super) async fn pages<T, F, Answer>(api: Api, object: &str, fetch: F) -> Listing<T>
where
    F: Fn(Option<String>) -> Answer,
    Answer: Future<Output = Result<Page<T>, AwsError>>,
{
    let mut items = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let page = match fetch(token.clone()).await {
            Ok(page) => page,
            Err(error) => {
                return Listing {
                    items,
                    failed: Some(error),
                };
            }
        };
        items.extend(page.items);
        // Some services end a listing with an empty token.
        let next = page.next.filter(|next| !next.is_empty());
        if next.is_none() {
            return Listing { items, failed: None };
        }
        if next == token {
            let failed = odd_answer(api, object, "AWS names the same page again as the next one");
            return Listing {
                items,
                failed: Some(failed),
            };
        }
        token = next;
    }
    let why = format!("there are more than {MOST_PAGES} pages; narrow the selectors");
    Listing {
        items,
        failed: Some(odd_answer(api, object, &why)),
    }
}

/// AWS answered, and the answer cannot be relied on.
pub(super) fn odd_answer(api: Api, object: &str, message: &str) -> AwsError {
    AwsError {
        operation: api.name().to_owned(),
        object: Some(object.to_owned()).filter(|object| !object.is_empty()),
        class: ErrorClass::Transient,
        code: None,
        message: message.to_owned(),
        request_id: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of one number each: `next` says what follows page `n`.
    async fn listing(next: impl Fn(usize) -> Result<Option<usize>, &'static str>) -> Listing<usize> {
        pages(Api::DescribeInstances, "tag:Name=x", |token| {
            let page: usize = token.map_or(0, |token| token.parse().unwrap());
            let answer = next(page).map(|next| Page {
                items: vec![page],
                next: next.map(|next| next.to_string()),
            });
            std::future::ready(answer.map_err(|why| odd_answer(Api::DescribeInstances, "", why)))
        })
        .await
    }

    #[tokio::test]
    async fn all_pages_are_read() {
        let listing = listing(|page| Ok((page < 3).then_some(page + 1))).await;
        assert_eq!(listing.complete().unwrap(), [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn a_page_that_fails_leaves_the_earlier_ones_and_its_error() {
        let listing = listing(|page| if page == 2 { Err("no") } else { Ok(Some(page + 1)) }).await;
        assert_eq!(listing.items, [0, 1]);
        assert_eq!(listing.complete().unwrap_err().message, "no");
    }

    #[tokio::test]
    async fn a_listing_without_end_ends_with_an_error() {
        assert_eq!(listing(|_| Ok(Some(7))).await.items, [0, 7]);
        let endless = listing(|page| Ok(Some(page + 1))).await;
        assert_eq!(endless.items.len(), MOST_PAGES);
        assert!(endless.failed.unwrap().message.contains("more than 50 pages"));
    }
}
