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
