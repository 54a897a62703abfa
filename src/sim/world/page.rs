//! Paging: tokens that name the page and the last item of the page before.

use std::ops::RangeInclusive;

use super::api::{ApiError, Page};

/// Cut one page out of `items`, which are sorted by `key`, within the service's `bounds` for the page size.
/// `default` is the size without one asked for; `None` means everything.
pub(super) fn paginate<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> String,
    page: &Page,
    bounds: RangeInclusive<usize>,
    default: Option<usize>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    if let Some(max) = page.max.filter(|max| !bounds.contains(max)) {
        let (low, high) = (bounds.start(), bounds.end());
        let text = format!("Value ( {max} ) for the page size is invalid. Expecting {low} to {high}.");
        return Err(ApiError::new("InvalidParameterValue", text));
    }
    let number = page_number(page).ok_or_else(bad_token)?;
    let after = match &page.token {
        None => None,
        Some(token) => Some(token.splitn(3, '.').nth(2).ok_or_else(bad_token)?.to_owned()),
    };
    let mut rest: Vec<T> = match after {
        None => items,
        Some(after) => items.into_iter().filter(|item| key(item) > after).collect(),
    };
    let size = page.max.or(default).unwrap_or(usize::MAX);
    let size = page.most.map_or(size, |most| size.min(most));
    let more = rest.len() > size;
    rest.truncate(size);
    let next = rest
        .last()
        .filter(|_| more)
        .map(|last| format!("page.{}.{}", number + 1, key(last)));
    Ok((rest, next))
}

/// Which page is asked for, counted from 1; `None` for a token that no page has handed out.
pub fn page_number(page: &Page) -> Option<u32> {
    match &page.token {
        None => Some(1),
        Some(token) => token.strip_prefix("page.")?.split('.').next()?.parse().ok(),
    }
}

fn bad_token() -> ApiError {
    ApiError::new("InvalidParameterValue", "Unable to parse the pagination token.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_together_are_the_whole_and_nothing_twice() {
        let all: Vec<String> = (0..23).map(|n| format!("i-{n:02}")).collect();
        let (mut seen, mut page, mut pages) = (
            Vec::new(),
            Page {
                max: Some(5),
                token: None,
                most: None,
            },
            0,
        );
        loop {
            let (items, next) = paginate(all.clone(), String::clone, &page, 5..=1000, None).unwrap();
            seen.extend(items);
            pages += 1;
            assert_eq!(page_number(&page), Some(pages));
            match next {
                Some(token) => page.token = Some(token),
                None => break,
            }
        }
        assert_eq!((seen, pages), (all, 5));
    }
}
