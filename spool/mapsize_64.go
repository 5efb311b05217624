//go:build !windows && (amd64 || arm64 || ppc64le || riscv64 || s390x || loong64)

package spool

// initialMap is address space, not memory: 64 GiB.
const initialMap = 64 << 30
