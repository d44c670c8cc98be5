//! Parameters that several operations have are written once.

use std::collections::{BTreeMap, HashMap};

use utoipa::openapi::{
    Ref, RefOr,
    path::{Operation, Parameter},
};

/// Replaces parameters that occur more than once by references, and returns what those lead to.
pub fn parameters<'a>(
    operations: impl Iterator<Item = &'a mut Operation>,
) -> BTreeMap<String, RefOr<Parameter>> {
    let mut uses: Vec<&mut RefOr<Parameter>> = operations
        .flat_map(|operation| operation.parameters.iter_mut().flatten())
        .collect();
    let mut count: HashMap<String, usize> = HashMap::new();
    for parameter in &uses {
        *count.entry(text(parameter)).or_default() += 1;
    }
    let mut components = BTreeMap::new();
    let mut names: HashMap<String, String> = HashMap::new();
    for place in &mut uses {
        let text = text(place);
        let RefOr::T(parameter) = &**place else {
            continue;
        };
        if count.get(&text).copied().unwrap_or_default() < 2 {
            continue;
        }
        let name = names
            .entry(text)
            .or_insert_with(|| free_name(&parameter.name, &components));
        let reference = Ref::new(format!("#/components/parameters/{name}"));
        let parameter = std::mem::replace(&mut **place, RefOr::Ref(reference));
        components.entry(name.clone()).or_insert(parameter);
    }
    components
}

fn text(parameter: &RefOr<Parameter>) -> String {
    serde_json::to_string(parameter).unwrap_or_default()
}

/// `name`, or `name` and a number when another parameter of that name is there.
fn free_name(name: &str, taken: &BTreeMap<String, RefOr<Parameter>>) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names
        .find(|name| !taken.contains_key(name))
        .unwrap_or_default()
}
