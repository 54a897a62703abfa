use super::*;
use crate::observe::tests::{policy, slot};
use crate::policy::Policy;

fn tags(pairs: &[(&str, &str)]) -> Selector {
    Selector::Tags(
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    )
}

/// Each query as `filter=values…` and its services.
fn planned(selectors: Vec<Vec<Selector>>) -> Vec<(Vec<String>, Vec<usize>)> {
    let policies: Vec<Policy> = selectors
        .into_iter()
        .enumerate()
        .map(|(number, selectors)| policy(&format!("s{number}"), selectors.into_iter().map(slot).collect()))
        .collect();
    let asked: Vec<Asked<'_>> = policies.iter().map(Asked::of).collect();
    let told = |query: Query| {
        let filter = |filter: &InstanceFilter| {
            let values: Vec<&str> = filter.values.iter().map(String::as_str).collect();
            format!("{}={}", filter.name, values.join(","))
        };
        (
            query.filters.iter().map(filter).collect(),
            query.services.into_iter().collect(),
        )
    };
    plan(&asked).into_iter().map(told).collect()
}

fn one(filters: &[&str], services: &[usize]) -> (Vec<String>, Vec<usize>) {
    (
        filters.iter().map(|filter| (*filter).to_owned()).collect(),
        services.to_vec(),
    )
}

#[test]
fn selectors_with_one_key_are_one_query() {
    let blue_green = |name: &str| {
        vec![
            tags(&[("Name", &format!("{name}-blue"))]),
            tags(&[("Name", &format!("{name}-green"))]),
        ]
    };
    let queries = planned(vec![blue_green("a"), blue_green("b")]);
    assert_eq!(
        queries,
        [one(&["tag:Name=a-blue,a-green,b-blue,b-green"], &[0, 1])]
    );
}

#[test]
fn a_key_that_all_selectors_share_narrows_the_query_and_others_do_not() {
    let queries = planned(vec![
        vec![tags(&[("Name", "a"), ("env", "prod")])],
        vec![tags(&[("Name", "b"), ("env", "stage"), ("team", "x")])],
    ]);
    assert_eq!(queries, [one(&["tag:Name=a,b", "tag:env=prod,stage"], &[0, 1])]);
}

#[test]
fn selectors_without_a_common_key_are_queries_of_their_own_needed_by_their_services_alone() {
    let group = Selector::AutoScalingGroup("asg".to_owned());
    let ids = Selector::InstanceIds(["i-1".into(), "i-2".into()].into());
    let queries = planned(vec![
        vec![tags(&[("Name", "a")]), group],
        vec![ids],
        vec![tags(&[("role", "web")])],
    ]);
    let expected = [
        one(&["instance-id=i-1,i-2"], &[1]),
        one(&["tag:Name=a"], &[0]),
        one(&["tag:role=web"], &[2]),
        one(&["tag:aws:autoscaling:groupName=asg"], &[0]),
    ];
    assert_eq!(queries, expected);
}

#[test]
fn more_values_than_a_request_may_hold_are_several_queries() {
    let many = (0..450)
        .map(|number| vec![tags(&[("Name", &format!("{number:03}"))])])
        .collect();
    let sizes: Vec<usize> = planned(many).iter().map(|(_, services)| services.len()).collect();
    assert_eq!(sizes, [200, 200, 50]);
    let narrowed =
        (0..150).map(|number| vec![tags(&[("Name", &number.to_string()), ("n", &number.to_string())])]);
    let [(filters, _)] = &planned(narrowed.collect())[..] else {
        panic!()
    };
    assert_eq!(
        filters.len(),
        1,
        "300 values do not fit: the second key is left out, not the second half"
    );
}

#[test]
fn nothing_is_asked_for_nobody() {
    assert_eq!(planned(vec![]), []);
}
