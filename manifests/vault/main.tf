# Vault for the cluster prod, by calico-vault-agent 0.1.0 (setup-vault export --format terraform).

terraform {
  required_providers {
    vault = {
      source  = "hashicorp/vault"
      version = ">= 4.6"
    }
  }
}

resource "vault_mount" "pki" {
  path                  = "pki"
  type                  = "pki"
  description           = "calico-vault-agent setup-vault: cluster prod"
  max_lease_ttl_seconds = 315360000
}

resource "vault_pki_secret_backend_root_cert" "root" {
  backend     = vault_mount.pki.path
  type        = "internal"
  common_name = "Calico etcd clients of prod"
  key_type    = "ec"
  key_bits    = 256
  ttl         = "315360000s"
  issuer_name = "calico-vault-agent-root"
}

resource "vault_policy" "calico-vault-agent-prod-calico-node" {
  name   = "calico-vault-agent-prod-calico-node"
  policy = <<EOT
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
EOT
}

resource "vault_policy" "calico-vault-agent-prod-calico-cni" {
  name   = "calico-vault-agent-prod-calico-cni"
  policy = <<EOT
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
EOT
}

resource "vault_policy" "calico-vault-agent-prod-calico-kube-controllers" {
  name   = "calico-vault-agent-prod-calico-kube-controllers"
  policy = <<EOT
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
EOT
}

resource "vault_policy" "calico-vault-agent-prod-calicoctl" {
  name   = "calico-vault-agent-prod-calicoctl"
  policy = <<EOT
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
EOT
}

resource "vault_pki_secret_backend_role" "calico-node" {
  backend                            = vault_mount.pki.path
  name                               = "calico-node"
  allowed_domains                    = ["calico-node:{{identity.entity.aliases.${vault_jwt_auth_backend.login.accessor}.name}}"]
  allowed_domains_template           = true
  allow_glob_domains                 = false
  issuer_ref                         = "default"
  allow_bare_domains                 = true
  allow_subdomains                   = false
  allow_wildcard_certificates        = false
  allow_any_name                     = false
  allow_localhost                    = false
  allow_ip_sans                      = false
  allowed_uri_sans                   = []
  allowed_other_sans                 = []
  allowed_serial_numbers             = []
  allowed_user_ids                   = []
  enforce_hostnames                  = false
  cn_validations                     = ["hostname"]
  require_cn                         = true
  use_csr_common_name                = false
  use_csr_sans                       = false
  server_flag                        = false
  client_flag                        = true
  code_signing_flag                  = false
  email_protection_flag              = false
  basic_constraints_valid_for_non_ca = false
  key_usage                          = ["DigitalSignature"]
  ext_key_usage                      = []
  ext_key_usage_oids                 = []
  policy_identifiers                 = []
  no_store                           = true
  generate_lease                     = false
  key_type                           = "ec"
  key_bits                           = 256
  ttl                                = "86400s"
  max_ttl                            = "86400s"
  not_before_duration                = "30s"
}

resource "vault_pki_secret_backend_role" "calico-cni" {
  backend                            = vault_mount.pki.path
  name                               = "calico-cni"
  allowed_domains                    = ["calico-cni:{{identity.entity.aliases.${vault_jwt_auth_backend.login.accessor}.name}}"]
  allowed_domains_template           = true
  allow_glob_domains                 = false
  issuer_ref                         = "default"
  allow_bare_domains                 = true
  allow_subdomains                   = false
  allow_wildcard_certificates        = false
  allow_any_name                     = false
  allow_localhost                    = false
  allow_ip_sans                      = false
  allowed_uri_sans                   = []
  allowed_other_sans                 = []
  allowed_serial_numbers             = []
  allowed_user_ids                   = []
  enforce_hostnames                  = false
  cn_validations                     = ["hostname"]
  require_cn                         = true
  use_csr_common_name                = false
  use_csr_sans                       = false
  server_flag                        = false
  client_flag                        = true
  code_signing_flag                  = false
  email_protection_flag              = false
  basic_constraints_valid_for_non_ca = false
  key_usage                          = ["DigitalSignature"]
  ext_key_usage                      = []
  ext_key_usage_oids                 = []
  policy_identifiers                 = []
  no_store                           = true
  generate_lease                     = false
  key_type                           = "ec"
  key_bits                           = 256
  ttl                                = "86400s"
  max_ttl                            = "86400s"
  not_before_duration                = "30s"
}

resource "vault_pki_secret_backend_role" "calico-kube-controllers" {
  backend                            = vault_mount.pki.path
  name                               = "calico-kube-controllers"
  allowed_domains                    = ["calico-kube-controllers"]
  allowed_domains_template           = false
  allow_glob_domains                 = false
  issuer_ref                         = "default"
  allow_bare_domains                 = true
  allow_subdomains                   = false
  allow_wildcard_certificates        = false
  allow_any_name                     = false
  allow_localhost                    = false
  allow_ip_sans                      = false
  allowed_uri_sans                   = []
  allowed_other_sans                 = []
  allowed_serial_numbers             = []
  allowed_user_ids                   = []
  enforce_hostnames                  = false
  cn_validations                     = ["hostname"]
  require_cn                         = true
  use_csr_common_name                = false
  use_csr_sans                       = false
  server_flag                        = false
  client_flag                        = true
  code_signing_flag                  = false
  email_protection_flag              = false
  basic_constraints_valid_for_non_ca = false
  key_usage                          = ["DigitalSignature"]
  ext_key_usage                      = []
  ext_key_usage_oids                 = []
  policy_identifiers                 = []
  no_store                           = true
  generate_lease                     = false
  key_type                           = "ec"
  key_bits                           = 256
  ttl                                = "86400s"
  max_ttl                            = "86400s"
  not_before_duration                = "30s"
}

resource "vault_pki_secret_backend_role" "calicoctl" {
  backend                            = vault_mount.pki.path
  name                               = "calicoctl"
  allowed_domains                    = ["calicoctl"]
  allowed_domains_template           = false
  allow_glob_domains                 = false
  issuer_ref                         = "default"
  allow_bare_domains                 = true
  allow_subdomains                   = false
  allow_wildcard_certificates        = false
  allow_any_name                     = false
  allow_localhost                    = false
  allow_ip_sans                      = false
  allowed_uri_sans                   = []
  allowed_other_sans                 = []
  allowed_serial_numbers             = []
  allowed_user_ids                   = []
  enforce_hostnames                  = false
  cn_validations                     = ["hostname"]
  require_cn                         = true
  use_csr_common_name                = false
  use_csr_sans                       = false
  server_flag                        = false
  client_flag                        = true
  code_signing_flag                  = false
  email_protection_flag              = false
  basic_constraints_valid_for_non_ca = false
  key_usage                          = ["DigitalSignature"]
  ext_key_usage                      = []
  ext_key_usage_oids                 = []
  policy_identifiers                 = []
  no_store                           = true
  generate_lease                     = false
  key_type                           = "ec"
  key_bits                           = 256
  ttl                                = "86400s"
  max_ttl                            = "86400s"
  not_before_duration                = "30s"
}

resource "vault_jwt_auth_backend" "login" {
  path         = "jwt"
  type         = "jwt"
  description  = "calico-vault-agent setup-vault: cluster prod"
  bound_issuer = "https://kubernetes.default.svc.cluster.local"
  jwks_url     = "https://10.0.0.1:6443/openid/v1/jwks"
  jwks_ca_pem  = file("${path.module}/ca.crt")
}

resource "vault_jwt_auth_backend_role" "calico-node" {
  backend                 = vault_jwt_auth_backend.login.path
  role_name               = "calico-node"
  role_type               = "jwt"
  bound_audiences         = ["vault-calico"]
  bound_subject           = "system:serviceaccount:kube-system:calico-node"
  user_claim              = "/kubernetes.io/node/name"
  user_claim_json_pointer = true
  claim_mappings = {
    "/kubernetes.io/node/name" = "node_name"
    "/kubernetes.io/node/uid"  = "node_uid"
  }
  bound_claims_type = "glob"
  bound_claims = {
    "/kubernetes.io/pod/name" = "calico-node-*"
  }
  clock_skew_leeway       = 0
  expiration_leeway       = 0
  not_before_leeway       = 0
  token_type              = "batch"
  token_ttl               = 900
  token_max_ttl           = 900
  token_explicit_max_ttl  = 0
  token_period            = 0
  token_num_uses          = 0
  token_no_default_policy = true
  token_policies          = ["calico-vault-agent-prod-calico-node", "calico-vault-agent-prod-calico-cni"]
}

resource "vault_jwt_auth_backend_role" "calico-kube-controllers" {
  backend                 = vault_jwt_auth_backend.login.path
  role_name               = "calico-kube-controllers"
  role_type               = "jwt"
  bound_audiences         = ["vault-calico"]
  bound_subject           = "system:serviceaccount:kube-system:calico-kube-controllers"
  user_claim              = "sub"
  user_claim_json_pointer = false
  claim_mappings          = {}
  bound_claims_type       = "glob"
  bound_claims = {
    "/kubernetes.io/pod/name" = "calico-kube-controllers-*"
  }
  clock_skew_leeway       = 0
  expiration_leeway       = 0
  not_before_leeway       = 0
  token_type              = "batch"
  token_ttl               = 900
  token_max_ttl           = 900
  token_explicit_max_ttl  = 0
  token_period            = 0
  token_num_uses          = 0
  token_no_default_policy = true
  token_policies          = ["calico-vault-agent-prod-calico-kube-controllers"]
}

resource "vault_jwt_auth_backend_role" "calicoctl" {
  backend                 = vault_jwt_auth_backend.login.path
  role_name               = "calicoctl"
  role_type               = "jwt"
  bound_audiences         = ["vault-calico"]
  bound_subject           = "system:serviceaccount:kube-system:calicoctl"
  user_claim              = "sub"
  user_claim_json_pointer = false
  claim_mappings          = {}
  bound_claims_type       = "glob"
  bound_claims = {
    "/kubernetes.io/pod/name" = "calicoctl-*"
  }
  clock_skew_leeway       = 0
  expiration_leeway       = 0
  not_before_leeway       = 0
  token_type              = "batch"
  token_ttl               = 900
  token_max_ttl           = 900
  token_explicit_max_ttl  = 0
  token_period            = 0
  token_num_uses          = 0
  token_no_default_policy = true
  token_policies          = ["calico-vault-agent-prod-calicoctl"]
}
