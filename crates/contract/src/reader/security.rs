//! Security: schemes, and what is asked of callers.

use std::collections::HashSet;

use serde_json::Value;

use super::operation::Draft;
use super::{At, Reader, text, words};
use crate::contract::{Location, SecurityKind, SecurityRequirement, SecurityScheme, SpecVersion};

impl<'l> Reader<'l, '_> {
    /// The schemes under `components/securitySchemes`, or `securityDefinitions` of 2.0.
    pub(super) fn security_schemes(&mut self, root: &At<'l>) -> Vec<SecurityScheme> {
        let group = if self.version == SpecVersion::V2_0 {
            root.child("securityDefinitions")
        } else {
            root.child("components").and_then(|components| components.child("securitySchemes"))
        };
        let Some(group) = group else { return Vec::new() };
        let members: Vec<(&str, At<'l>)> = group.members().collect();
        members
            .into_iter()
            .filter(|(name, _)| !name.starts_with("x-"))
            .filter_map(|(name, at)| {
                let at = self.follow(at)?;
                let kind = kind(&at);
                if let SecurityKind::Unknown(written) = &kind {
                    self.findings.warn(
                        "security-scheme",
                        at.node.clone(),
                        format!("the security scheme `{name}` is of no known kind (`{written}`)"),
                        "use `apiKey`, `http`, `oauth2`, `openIdConnect` or `mutualTLS`, with the members that belong to it",
                    );
                }
                let description = words(at.value.get("description"));
                Some(SecurityScheme { name: name.to_owned(), kind, description, declared: at.node })
            })
            .collect()
    }

    /// The `security` of a document or operation; `None` if it says nothing.
    pub(super) fn requirements(&mut self, at: &At<'l>) -> Option<Vec<SecurityRequirement>> {
        let list = at.value.get("security")?.as_array()?;
        let read: Vec<SecurityRequirement> = list.iter().filter_map(requirement).collect();
        // An empty list opens an operation to anybody; requirements that cannot be read must not.
        if read.is_empty() && !list.is_empty() { None } else { Some(read) }
    }

    /// Says so, once for each name, if a requirement names a scheme that is not there.
    pub(super) fn check_requirements(
        &mut self,
        drafts: &[Draft<'l>],
        of_root: Option<&Vec<SecurityRequirement>>,
        schemes: &[SecurityScheme],
        root: &At<'l>,
    ) {
        let known: HashSet<&str> = schemes.iter().map(|scheme| scheme.name.as_str()).collect();
        let own = drafts.iter().filter(|draft| draft.own_security).filter_map(|draft| {
            let node = draft.at.node_of("security");
            Some((node, draft.operation.security.as_ref()?))
        });
        let all =
            of_root.into_iter().map(|security| (root.node_of("security"), security)).chain(own);
        for (node, requirements) in all {
            for (name, _) in requirements.iter().flat_map(|requirement| &requirement.schemes) {
                // 3.2 allows addresses of schemes in other documents.
                if !known.contains(name.as_str()) && !name.contains(['#', '/']) {
                    self.findings.warn_once("security-undefined", name, || node.clone(), || {
                        (
                            format!("`{name}` is required of callers, but no security scheme has that name"),
                            "define it under `components/securitySchemes` (`securityDefinitions` in 2.0)".to_owned(),
                        )
                    });
                }
            }
        }
    }
}

fn requirement(value: &Value) -> Option<SecurityRequirement> {
    let members = value.as_object()?;
    let schemes = members
        .iter()
        .map(|(name, scopes)| {
            let scopes = scopes.as_array().into_iter().flatten().filter_map(text).collect();
            (name.clone(), scopes)
        })
        .collect();
    Some(SecurityRequirement { schemes })
}

fn kind(at: &At<'_>) -> SecurityKind {
    let written = at.text("type").unwrap_or_default();
    match written.as_str() {
        "apiKey" => {
            let location = match at.text("in").as_deref() {
                Some("query") => Location::Query,
                Some("header") => Location::Header,
                Some("cookie") => Location::Cookie,
                _ => return SecurityKind::Unknown(written),
            };
            match at.text("name") {
                Some(parameter) => SecurityKind::ApiKey { location, parameter },
                None => SecurityKind::Unknown(written),
            }
        }
        "basic" => SecurityKind::Http { scheme: "basic".to_owned(), bearer_format: None },
        "http" => match at.text("scheme") {
            Some(scheme) => SecurityKind::Http {
                scheme: scheme.to_ascii_lowercase(),
                bearer_format: at.text("bearerFormat"),
            },
            None => SecurityKind::Unknown(written),
        },
        "oauth2" => SecurityKind::OAuth2,
        "openIdConnect" => {
            SecurityKind::OpenIdConnect { url: at.text("openIdConnectUrl").unwrap_or_default() }
        }
        "mutualTLS" => SecurityKind::MutualTls,
        _ => SecurityKind::Unknown(written),
    }
}
