#[test]
fn dump() {
    println!("{}", super::schema_text(&super::policy_schema()));
    println!("=====\n{}", super::schema_text(&super::config_schema()));
}
