// Command seed writes users and roles straight into the database of a stopped etcd member, for benchmarks: with 20,000
// users etcd itself needs hours for what one bbolt transaction does at once (docs/etcd.md, "How large").
//
// Argument: the database (DATA/member/snap/db). Standard input: {"roles":{NAME:[[ACCESS,KEY,END],…]},"users":{NAME:[ROLE,…]}}.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"sort"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/authpb"
)

type content struct {
	Roles map[string][][3]string `json:"roles"`
	Users map[string][]string    `json:"users"`
}

var access = map[string]authpb.Permission_Type{"read": authpb.READ, "write": authpb.WRITE, "readwrite": authpb.READWRITE}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
}

func run() error {
	var c content
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		return err
	}
	db, err := bolt.Open(os.Args[1], 0o600, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(tx *bolt.Tx) error {
		for name, grants := range c.Roles {
			role := authpb.Role{Name: []byte(name)}
			for _, g := range grants {
				role.KeyPermission = append(role.KeyPermission,
					&authpb.Permission{PermType: access[g[0]], Key: []byte(g[1]), RangeEnd: []byte(g[2])})
			}
			// etcd searches them by key.
			sort.Slice(role.KeyPermission, func(i, j int) bool {
				return string(role.KeyPermission[i].Key) < string(role.KeyPermission[j].Key)
			})
			value, err := role.Marshal()
			if err != nil {
				return err
			}
			if err := tx.Bucket([]byte("authRoles")).Put([]byte(name), value); err != nil {
				return err
			}
		}
		for name, roles := range c.Users {
			sort.Strings(roles)
			user := authpb.User{Name: []byte(name), Roles: roles, Options: &authpb.UserAddOptions{NoPassword: true}}
			value, err := user.Marshal()
			if err != nil {
				return err
			}
			if err := tx.Bucket([]byte("authUsers")).Put([]byte(name), value); err != nil {
				return err
			}
		}
		revision := make([]byte, 8)
		binary.BigEndian.PutUint64(revision, 1_000_000)
		return tx.Bucket([]byte("auth")).Put([]byte("authRevision"), revision)
	})
}
