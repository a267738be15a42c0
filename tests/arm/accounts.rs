//! Tenants, subscriptions, resource groups, providers, usages, and where tokens come from.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::entity::Kind;
use super::path;
use super::reply::{Handled, Reply};
use super::seed::{SUBSCRIPTION, TENANT};
use super::world::{Request, World};

/// The client that tokens are given out to.
const CLIENT: &str = "11111111-1111-1111-1111-111111111111";

impl World {
    /// `GET …/providers`.
    pub(super) fn providers(&self, request: &Request) -> Reply {
        let all = ["microsoft.network", "microsoft.compute", "microsoft.resources"];
        self.page(request, all.iter().filter_map(|name| provider_value(name)).collect())
    }

    /// `GET …/resourceGroups`.
    pub(super) fn list_groups(&self, request: &Request) -> Reply {
        self.page(request, self.groups.values().cloned().map(Value::Object).collect())
    }

    /// `…/resourceGroups/NAME`.
    pub(super) fn group(&mut self, request: &Request) -> Handled {
        let name = &request.parts[3];
        let key = name.to_ascii_lowercase();
        match request.method.as_str() {
            "HEAD" => Ok(Reply::empty(if self.groups.contains_key(&key) { 204 } else { 404 })),
            "GET" => {
                self.require_group(&key, name)?;
                Ok(Reply::json(200, Value::Object(self.groups[&key].clone())))
            }
            "PUT" => {
                let mut body = match &request.body {
                    Some(Value::Object(body)) if body.get("location").is_some_and(Value::is_string) => body.clone(),
                    _ => return Err(location_required()),
                };
                let id = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}");
                body.insert("id".into(), json!(id));
                body.insert("name".into(), json!(name));
                body.insert("type".into(), json!("Microsoft.Resources/resourceGroups"));
                body.insert("properties".into(), json!({ "provisioningState": "Succeeded" }));
                let status = if self.groups.contains_key(&key) { 200 } else { 201 };
                let kept = self.groups.entry(key).or_default();
                *kept = body;
                Ok(Reply::json(status, Value::Object(kept.clone())))
            }
            _ => Err(super::world::unknown(request)),
        }
    }

    /// The resource group must be there.
    pub(super) fn require_group(&self, key: &str, name: &str) -> Result<(), Reply> {
        if self.groups.contains_key(&key.to_ascii_lowercase()) {
            return Ok(());
        }
        let message = format!("Resource group '{name}' could not be found.");
        Err(Reply::gateway_error(404, "ResourceGroupNotFound", &message))
    }

    /// The body of a PUT of a whole resource: an object with a location, which does not change.
    pub(super) fn whole_body(&self, request: &Request, key: &str) -> Result<Map<String, Value>, Reply> {
        let Some(Value::Object(body)) = request.body.clone() else {
            let message = "The request content was invalid and could not be deserialized.";
            return Err(Reply::gateway_error(400, "InvalidRequestContent", message));
        };
        let Some(location) = body.get("location").and_then(Value::as_str) else { return Err(location_required()) };
        match self.entities.get(key) {
            Some(there) if !path::same(&there.location().replace(' ', ""), &location.replace(' ', "")) => {
                let message = format!(
                    "The resource '{}' already exists in location '{}' in resource group '{}'. A resource with the same name cannot \
                     be created in location '{location}'. Please select a new resource name.",
                    there.name,
                    there.location(),
                    there.group()
                );
                Err(Reply::gateway_error(409, "InvalidResourceLocation", &message))
            }
            _ => Ok(body),
        }
    }

    /// `GET …/Microsoft.Network/locations/L/usages` (names and shapes: tape; only those that matter here).
    pub(super) fn usages(&self, location: &str) -> Reply {
        let here = |kind: Kind| {
            self.entities.values().filter(|it| it.kind == kind && path::same(it.location(), location)).count()
        };
        let usage = |name: &str, shown: &str, current: usize, limit: usize| {
            let id =
                format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/locations/{location}/usages/{name}");
            json!({
                "currentValue": current, "id": id, "limit": limit,
                "name": { "localizedValue": shown, "value": name }, "unit": "Count",
            })
        };
        Reply::list(vec![
            usage("VirtualNetworks", "Virtual Networks", here(Kind::VirtualNetwork), 1000),
            usage("NetworkInterfaces", "Network Interfaces", here(Kind::NetworkInterface), 65536),
            usage("RouteTables", "Route Tables", here(Kind::RouteTable), self.settings.tables),
            usage("RoutesPerRouteTable", "Routes per Route Table", 0, self.settings.routes),
        ])
    }

    /// A new token that this server takes.
    pub fn token(&mut self, audience: &str) -> (String, u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let ends = now + 86_400;
        let claims = json!({
            "aud": audience, "iss": format!("https://sts.windows.net/{TENANT}/"), "iat": now, "nbf": now, "exp": ends,
            "tid": TENANT, "oid": CLIENT, "sub": CLIENT, "appid": CLIENT, "idtyp": "app", "ver": "1.0", "jti": self.uuid(),
        });
        let part = |value: &Value| base64_url(value.to_string().as_bytes());
        let head = part(&json!({ "typ": "JWT", "alg": "RS256", "kid": "topo" }));
        let token = format!("{head}.{}.{}", part(&claims), base64_url(b"not a signature"));
        self.tokens.push(token.clone());
        (token, ends)
    }

    /// Whether a request may pass: 401 with the header that says where tokens come from.
    pub(super) fn authenticate(&self, authorization: Option<&str>) -> Result<(), Reply> {
        let refuse = |code: &str, problem: &str, message: &str| {
            let where_to = format!(
                "Bearer authorization_uri=\"https://login.windows.net/{TENANT}\", error=\"invalid_token\", \
                 error_description=\"{problem}\""
            );
            Err(Reply::gateway_error(401, code, message).header("www-authenticate", where_to))
        };
        let Some(token) = authorization.and_then(|it| it.strip_prefix("Bearer ")) else {
            return refuse(
                "AuthenticationFailed",
                "The authentication failed because of missing 'Authorization' header.",
                "Authentication failed. The 'Authorization' header is missing.",
            );
        };
        if self.tokens.iter().any(|known| known == token) {
            return Ok(());
        }
        if self.expired.iter().any(|known| known == token) {
            let message = "The access token expiry UTC time is earlier than current UTC time.";
            return refuse("ExpiredAuthenticationToken", message, message);
        }
        refuse("InvalidAuthenticationToken", "The access token is invalid.", "The access token is invalid.")
    }

    /// Where tokens come from: managed identity (App Service), client credentials, and what clients ask before they log in.
    pub(super) fn identity(&mut self, request: &Request, header: Option<&str>, secret: &str) -> Option<Reply> {
        let lower: Vec<String> = request.parts.iter().map(|part| part.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let origin = &request.origin;
        Some(match lower.as_slice() {
            ["msi", "token"] => {
                if header != Some(secret) {
                    let error = json!({ "statusCode": 401, "message": "The X-IDENTITY-HEADER is missing or wrong." });
                    return Some(Reply::json(401, error));
                }
                let resource = path::parameter(&request.query, "resource").unwrap_or_default();
                let (token, ends) = self.token(&resource);
                Reply::json(
                    200,
                    json!({
                        "access_token": token, "expires_on": ends.to_string(), "resource": resource, "token_type": "Bearer",
                        "client_id": CLIENT,
                    }),
                )
            }
            [_, "oauth2", "token"] | [_, "oauth2", "v2.0", "token"] if request.method == "POST" => {
                if let Some((error, description)) = &self.settings.refuses_sign_in {
                    let body = json!({ "error": error, "error_description": description });
                    return Some(Reply::json(401, body));
                }
                let (token, _) = self.token("https://management.azure.com/");
                let seconds = 86_399;
                Reply::json(
                    200,
                    json!({
                        "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
                    }),
                )
            }
            ["common", "discovery", "instance"] => {
                let host = origin.split("//").nth(1).unwrap_or_default();
                Reply::json(
                    200,
                    json!({
                        "tenant_discovery_endpoint": format!("{origin}/common/.well-known/openid-configuration"),
                        "api-version": "1.1",
                        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
                    }),
                )
            }
            [tenant, .., ".well-known", "openid-configuration"] => Reply::json(
                200,
                json!({
                    "token_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/token"),
                    "authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/authorize"),
                    "device_authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/devicecode"),
                    "jwks_uri": format!("{origin}/{tenant}/discovery/v2.0/keys"),
                    "issuer": format!("{origin}/{TENANT}/v2.0"), "tenant_region_scope": "WW",
                    "response_types_supported": ["code"], "subject_types_supported": ["pairwise"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                }),
            ),
            [_, "discovery", .., "keys"] => Reply::json(200, json!({ "keys": [] })),
            _ => return None,
        })
    }
}

fn location_required() -> Reply {
    Reply::gateway_error(400, "LocationRequired", "The location property is required for this definition.")
}

fn base64_url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0usize, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..=group.len() {
            text.push(char::from(LETTERS[bits >> (18 - 6 * at) & 63]));
        }
    }
    text
}

fn account_value() -> Value {
    json!({
        "id": format!("/subscriptions/{SUBSCRIPTION}"), "subscriptionId": SUBSCRIPTION, "tenantId": TENANT,
        "displayName": "topo", "state": "Enabled", "authorizationSource": "RoleBased", "managedByTenants": [],
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off",
        },
    })
}

fn provider_value(name: &str) -> Option<Value> {
    let (name, types): (&str, &[&str]) = match name {
        "microsoft.network" => (
            "Microsoft.Network",
            &["routeTables", "virtualNetworks", "networkInterfaces", "locations/operations", "locations/usages"],
        ),
        "microsoft.compute" => ("Microsoft.Compute", &["virtualMachines", "virtualMachineScaleSets"]),
        "microsoft.resources" => ("Microsoft.Resources", &["subscriptions", "resourceGroups"]),
        _ => return None,
    };
    let versions = ["2024-03-01", "2024-01-01", "2022-01-01", "2021-04-01"];
    let types: Vec<Value> = types
        .iter()
        .map(|it| json!({ "resourceType": it, "locations": ["East US 2", "West US"], "apiVersions": versions }))
        .collect();
    Some(json!({
        "id": format!("/subscriptions/{SUBSCRIPTION}/providers/{name}"), "namespace": name,
        "registrationState": "Registered", "registrationPolicy": "RegistrationRequired", "resourceTypes": types,
    }))
}

/// `GET /subscriptions/ID`.
pub fn account() -> Reply {
    Reply::json(200, account_value())
}

/// `GET …/locations`.
pub fn locations() -> Reply {
    let places =
        [("eastus2", "East US 2"), ("eastus", "East US"), ("westus", "West US"), ("westeurope", "West Europe")];
    let value = places.iter().map(|(name, shown)| {
        json!({
            "id": format!("/subscriptions/{SUBSCRIPTION}/locations/{name}"), "name": name, "type": "Region",
            "displayName": shown, "regionalDisplayName": shown,
        })
    });
    Reply::list(value.collect())
}

/// `GET …/providers/NAME`.
pub fn provider(name: &str) -> Handled {
    let missing = || {
        Reply::gateway_error(404, "InvalidResourceNamespace", &format!("The resource namespace '{name}' is invalid."))
    };
    provider_value(name).map(|value| Reply::json(200, value)).ok_or_else(missing)
}

/// `GET /subscriptions` and `GET /tenants`.
pub fn accounts(collection: &str) -> Reply {
    if collection == "tenants" {
        let tenant = json!({
            "id": format!("/tenants/{TENANT}"), "tenantId": TENANT, "displayName": "topo", "defaultDomain": "topo.example",
            "tenantCategory": "Home",
        });
        return Reply::list(vec![tenant]);
    }
    let mut reply = Reply::list(vec![account_value()]);
    if let Some(body) = &mut reply.body {
        body["count"] = json!({ "type": "Total", "value": 1 });
    }
    reply
}
