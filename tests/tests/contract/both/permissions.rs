//! What a key may do: every operation that asks for a permission, with and without it.

use std::collections::HashMap;

use guildhall_auth::permission;
use guildhall_tests::{
    Community, Credential, Differences, OPERATIONS, Operation, Refusal, key, operation::Kind,
};

/// Keys by what they carry: there are as many as permissions, however many operations there are.
struct KeyRing<'a> {
    community: &'a Community,
    keys: HashMap<(Kind, Vec<&'static str>), Credential>,
}

impl KeyRing<'_> {
    /// A key of this kind with these of the permissions that it can carry.
    async fn key(&mut self, kind: Kind, mut permissions: Vec<&'static str>) -> Credential {
        if kind == Kind::UserKey {
            permissions
                .retain(|name| permission::is_for_user_keys(permission::parse(name).unwrap()));
        }
        if let Some(key) = self.keys.get(&(kind, permissions.clone())) {
            return key.clone();
        }
        let spec = key::spec(&permissions);
        let made = if kind == Kind::UserKey {
            self.community.keys().user(spec).await
        } else {
            self.community.keys().community(spec).await
        };
        let key = Credential::Bearer(made.text);
        self.keys.insert((kind, permissions), key.clone());
        key
    }
}

#[tokio::test]
async fn a_key_may_do_what_it_carries_and_nothing_else() {
    let community = Community::with_all_records().await;
    let mut ring = KeyRing {
        community: &community,
        keys: HashMap::new(),
    };
    let mut differences = Differences::default();
    for operation in OPERATIONS.iter() {
        let Some(needed) = operation.permission else {
            continue;
        };
        let kinds = operation.kinds.iter().copied();
        for kind in kinds.filter(|kind| kind.carries_permissions()) {
            let others = Operation::permissions().into_iter();
            let others = others.filter(|name| *name != needed).collect();
            let without = ring.key(kind, others).await;
            let answer = community.call(operation, &without).await;
            let case = format!("{} with a {kind:?} of all but {needed}", operation.id);
            differences.note(case, operation.family.check(&answer, Refusal::NoPermission));

            let exact = ring.key(kind, vec![needed]).await;
            let answer = community.call(operation, &exact).await;
            let case = format!("{} with {needed} alone", operation.id);
            differences.expect(operation.succeeds(&answer), case, answer.body);
        }
    }
    differences.assert_none();
}
