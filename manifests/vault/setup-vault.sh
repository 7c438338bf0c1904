#!/bin/sh
# Vault for the cluster prod, by calico-vault-agent 0.1.0 (setup-vault export).
# Needs the CLI vault (or bao, by that name), VAULT_ADDR, and an administrator's VAULT_TOKEN. Reads the files named @FILE.
# It overwrites policies and roles of these names: setup-vault plan tells beforehand what differs.
set -eu
owner='calico-vault-agent setup-vault: cluster prod'

# enable auth|secrets TABLE MOUNT OPTIONS: once, and never in the place of what somebody else has made.
enable() {
  kind=$1 table=$2 mount=$3
  shift 3
  if found=$(vault read -field=description "sys/$table/$mount" 2>/dev/null); then
    [ "$found" = "$owner" ] && return
    echo "$mount/ was not made by setup-vault: $found" >&2
    exit 1
  fi
  vault "$kind" enable -path="$mount" -description="$owner" "$@"
}

enable auth auth jwt jwt
enable secrets mounts pki -max-lease-ttl=315360000s pki
vault list pki/issuers >/dev/null 2>&1 || vault write pki/root/generate/internal 'common_name=Calico etcd clients of prod' key_type=ec key_bits=256 ttl=315360000s issuer_name=calico-vault-agent-root
accessor=$(vault read -field=accessor sys/auth/jwt)

vault policy write calico-vault-agent-prod-calico-node - <<'HCL'
# calico-vault-agent setup-vault: cluster prod
path "pki/sign/calico-node" {
  capabilities        = ["update"]
  required_parameters = ["csr", "common_name"]
  allowed_parameters = {
    "csr"                  = []
    "common_name"          = []
    "ttl"                  = []
    "exclude_cn_from_sans" = []
  }
}
HCL

vault policy write calico-vault-agent-prod-calico-cni - <<'HCL'
# calico-vault-agent setup-vault: cluster prod
path "pki/sign/calico-cni" {
  capabilities        = ["update"]
  required_parameters = ["csr", "common_name"]
  allowed_parameters = {
    "csr"                  = []
    "common_name"          = []
    "ttl"                  = []
    "exclude_cn_from_sans" = []
  }
}
HCL

vault policy write calico-vault-agent-prod-calico-kube-controllers - <<'HCL'
# calico-vault-agent setup-vault: cluster prod
path "pki/sign/calico-kube-controllers" {
  capabilities        = ["update"]
  required_parameters = ["csr", "common_name"]
  allowed_parameters = {
    "csr"                  = []
    "common_name"          = []
    "ttl"                  = []
    "exclude_cn_from_sans" = []
  }
}
HCL

vault policy write calico-vault-agent-prod-calicoctl - <<'HCL'
# calico-vault-agent setup-vault: cluster prod
path "pki/sign/calicoctl" {
  capabilities        = ["update"]
  required_parameters = ["csr", "common_name"]
  allowed_parameters = {
    "csr"                  = []
    "common_name"          = []
    "ttl"                  = []
    "exclude_cn_from_sans" = []
  }
}
HCL

vault write pki/roles/calico-node - <<JSON
{
  "allowed_domains": [
    "calico-node:{{identity.entity.aliases.$accessor.name}}"
  ],
  "allowed_domains_template": true,
  "allow_glob_domains": false,
  "issuer_ref": "default",
  "allow_bare_domains": true,
  "allow_subdomains": false,
  "allow_wildcard_certificates": false,
  "allow_any_name": false,
  "allow_localhost": false,
  "allow_ip_sans": false,
  "allow_token_displayname": false,
  "allowed_uri_sans": [],
  "allowed_other_sans": [],
  "allowed_serial_numbers": [],
  "allowed_user_ids": [],
  "enforce_hostnames": false,
  "cn_validations": [
    "hostname"
  ],
  "require_cn": true,
  "use_csr_common_name": false,
  "use_csr_sans": false,
  "server_flag": false,
  "client_flag": true,
  "code_signing_flag": false,
  "email_protection_flag": false,
  "basic_constraints_valid_for_non_ca": false,
  "key_usage": [
    "DigitalSignature"
  ],
  "ext_key_usage": [],
  "ext_key_usage_oids": [],
  "policy_identifiers": [],
  "not_after": "",
  "no_store": true,
  "generate_lease": false,
  "not_after_bound": "forbid",
  "not_before_bound": "forbid",
  "key_type": "ec",
  "key_bits": 256,
  "ttl": 86400,
  "max_ttl": 86400,
  "not_before_duration": 30
}
JSON

vault write pki/roles/calico-cni - <<JSON
{
  "allowed_domains": [
    "calico-cni:{{identity.entity.aliases.$accessor.name}}"
  ],
  "allowed_domains_template": true,
  "allow_glob_domains": false,
  "issuer_ref": "default",
  "allow_bare_domains": true,
  "allow_subdomains": false,
  "allow_wildcard_certificates": false,
  "allow_any_name": false,
  "allow_localhost": false,
  "allow_ip_sans": false,
  "allow_token_displayname": false,
  "allowed_uri_sans": [],
  "allowed_other_sans": [],
  "allowed_serial_numbers": [],
  "allowed_user_ids": [],
  "enforce_hostnames": false,
  "cn_validations": [
    "hostname"
  ],
  "require_cn": true,
  "use_csr_common_name": false,
  "use_csr_sans": false,
  "server_flag": false,
  "client_flag": true,
  "code_signing_flag": false,
  "email_protection_flag": false,
  "basic_constraints_valid_for_non_ca": false,
  "key_usage": [
    "DigitalSignature"
  ],
  "ext_key_usage": [],
  "ext_key_usage_oids": [],
  "policy_identifiers": [],
  "not_after": "",
  "no_store": true,
  "generate_lease": false,
  "not_after_bound": "forbid",
  "not_before_bound": "forbid",
  "key_type": "ec",
  "key_bits": 256,
  "ttl": 86400,
  "max_ttl": 86400,
  "not_before_duration": 30
}
JSON

vault write pki/roles/calico-kube-controllers - <<'JSON'
{
  "allowed_domains": [
    "calico-kube-controllers"
  ],
  "allowed_domains_template": false,
  "allow_glob_domains": false,
  "issuer_ref": "default",
  "allow_bare_domains": true,
  "allow_subdomains": false,
  "allow_wildcard_certificates": false,
  "allow_any_name": false,
  "allow_localhost": false,
  "allow_ip_sans": false,
  "allow_token_displayname": false,
  "allowed_uri_sans": [],
  "allowed_other_sans": [],
  "allowed_serial_numbers": [],
  "allowed_user_ids": [],
  "enforce_hostnames": false,
  "cn_validations": [
    "hostname"
  ],
  "require_cn": true,
  "use_csr_common_name": false,
  "use_csr_sans": false,
  "server_flag": false,
  "client_flag": true,
  "code_signing_flag": false,
  "email_protection_flag": false,
  "basic_constraints_valid_for_non_ca": false,
  "key_usage": [
    "DigitalSignature"
  ],
  "ext_key_usage": [],
  "ext_key_usage_oids": [],
  "policy_identifiers": [],
  "not_after": "",
  "no_store": true,
  "generate_lease": false,
  "not_after_bound": "forbid",
  "not_before_bound": "forbid",
  "key_type": "ec",
  "key_bits": 256,
  "ttl": 86400,
  "max_ttl": 86400,
  "not_before_duration": 30
}
JSON

vault write pki/roles/calicoctl - <<'JSON'
{
  "allowed_domains": [
    "calicoctl"
  ],
  "allowed_domains_template": false,
  "allow_glob_domains": false,
  "issuer_ref": "default",
  "allow_bare_domains": true,
  "allow_subdomains": false,
  "allow_wildcard_certificates": false,
  "allow_any_name": false,
  "allow_localhost": false,
  "allow_ip_sans": false,
  "allow_token_displayname": false,
  "allowed_uri_sans": [],
  "allowed_other_sans": [],
  "allowed_serial_numbers": [],
  "allowed_user_ids": [],
  "enforce_hostnames": false,
  "cn_validations": [
    "hostname"
  ],
  "require_cn": true,
  "use_csr_common_name": false,
  "use_csr_sans": false,
  "server_flag": false,
  "client_flag": true,
  "code_signing_flag": false,
  "email_protection_flag": false,
  "basic_constraints_valid_for_non_ca": false,
  "key_usage": [
    "DigitalSignature"
  ],
  "ext_key_usage": [],
  "ext_key_usage_oids": [],
  "policy_identifiers": [],
  "not_after": "",
  "no_store": true,
  "generate_lease": false,
  "not_after_bound": "forbid",
  "not_before_bound": "forbid",
  "key_type": "ec",
  "key_bits": 256,
  "ttl": 86400,
  "max_ttl": 86400,
  "not_before_duration": 30
}
JSON

vault write auth/jwt/config bound_issuer=https://kubernetes.default.svc.cluster.local default_role= oidc_discovery_url= jwt_validation_pubkeys= jwks_url=https://10.0.0.1:6443/openid/v1/jwks jwks_ca_pem=@ca.crt

vault write auth/jwt/role/calico-node - <<'JSON'
{
  "role_type": "jwt",
  "bound_audiences": [
    "vault-calico"
  ],
  "bound_subject": "system:serviceaccount:kube-system:calico-node",
  "user_claim": "/kubernetes.io/node/name",
  "user_claim_json_pointer": true,
  "claim_mappings": {
    "/kubernetes.io/node/name": "node_name",
    "/kubernetes.io/node/uid": "node_uid"
  },
  "bound_claims_type": "glob",
  "bound_claims": {
    "/kubernetes.io/pod/name": "calico-node-*"
  },
  "clock_skew_leeway": 0,
  "expiration_leeway": 0,
  "not_before_leeway": 0,
  "token_type": "batch",
  "token_ttl": 900,
  "token_max_ttl": 900,
  "token_explicit_max_ttl": 0,
  "token_period": 0,
  "token_num_uses": 0,
  "token_no_default_policy": true,
  "token_policies": [
    "calico-vault-agent-prod-calico-node",
    "calico-vault-agent-prod-calico-cni"
  ]
}
JSON

vault write auth/jwt/role/calico-kube-controllers - <<'JSON'
{
  "role_type": "jwt",
  "bound_audiences": [
    "vault-calico"
  ],
  "bound_subject": "system:serviceaccount:kube-system:calico-kube-controllers",
  "user_claim": "sub",
  "user_claim_json_pointer": false,
  "claim_mappings": {},
  "bound_claims_type": "glob",
  "bound_claims": {
    "/kubernetes.io/pod/name": "calico-kube-controllers-*"
  },
  "clock_skew_leeway": 0,
  "expiration_leeway": 0,
  "not_before_leeway": 0,
  "token_type": "batch",
  "token_ttl": 900,
  "token_max_ttl": 900,
  "token_explicit_max_ttl": 0,
  "token_period": 0,
  "token_num_uses": 0,
  "token_no_default_policy": true,
  "token_policies": [
    "calico-vault-agent-prod-calico-kube-controllers"
  ]
}
JSON

vault write auth/jwt/role/calicoctl - <<'JSON'
{
  "role_type": "jwt",
  "bound_audiences": [
    "vault-calico"
  ],
  "bound_subject": "system:serviceaccount:kube-system:calicoctl",
  "user_claim": "sub",
  "user_claim_json_pointer": false,
  "claim_mappings": {},
  "bound_claims_type": "glob",
  "bound_claims": {
    "/kubernetes.io/pod/name": "calicoctl-*"
  },
  "clock_skew_leeway": 0,
  "expiration_leeway": 0,
  "not_before_leeway": 0,
  "token_type": "batch",
  "token_ttl": 900,
  "token_max_ttl": 900,
  "token_explicit_max_ttl": 0,
  "token_period": 0,
  "token_num_uses": 0,
  "token_no_default_policy": true,
  "token_policies": [
    "calico-vault-agent-prod-calicoctl"
  ]
}
JSON
