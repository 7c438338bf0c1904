# What the token of setup-vault apply needs for the cluster prod, and no more.
path "sys/auth" {
  capabilities = ["read"]
}
path "sys/auth/jwt" {
  capabilities = ["create", "update", "sudo"]
}
path "sys/auth/jwt/tune" {
  capabilities = ["create", "update", "sudo"]
}
path "sys/mounts" {
  capabilities = ["read"]
}
path "auth/jwt/role" {
  capabilities = ["list"]
}
path "pki/config/issuers" {
  capabilities = ["read"]
}
path "pki/issuers" {
  capabilities = ["list"]
}
path "pki/keys" {
  capabilities = ["list"]
}
path "sys/mounts/pki" {
  capabilities = ["create", "update"]
}
path "sys/mounts/pki/tune" {
  capabilities = ["create", "update"]
}
path "pki/root/generate/internal" {
  capabilities = ["create", "update"]
}
path "sys/policies/acl/calico-vault-agent-prod-calico-node" {
  capabilities = ["create", "read", "update"]
}
path "sys/policies/acl/calico-vault-agent-prod-calico-cni" {
  capabilities = ["create", "read", "update"]
}
path "sys/policies/acl/calico-vault-agent-prod-calico-kube-controllers" {
  capabilities = ["create", "read", "update"]
}
path "sys/policies/acl/calico-vault-agent-prod-calicoctl" {
  capabilities = ["create", "read", "update"]
}
path "pki/roles/calico-node" {
  capabilities = ["create", "read", "update"]
}
path "pki/roles/calico-cni" {
  capabilities = ["create", "read", "update"]
}
path "pki/roles/calico-kube-controllers" {
  capabilities = ["create", "read", "update"]
}
path "pki/roles/calicoctl" {
  capabilities = ["create", "read", "update"]
}
path "auth/jwt/config" {
  capabilities = ["create", "read", "update"]
}
path "auth/jwt/role/calico-node" {
  capabilities = ["create", "read", "update"]
}
path "auth/jwt/role/calico-kube-controllers" {
  capabilities = ["create", "read", "update"]
}
path "auth/jwt/role/calicoctl" {
  capabilities = ["create", "read", "update"]
}
