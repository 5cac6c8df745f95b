# SPDX-License-Identifier: GPL-2.0
# All output is in build/. `make help` lists the targets; V=1 shows the commands.

PREFIX ?= /usr/local
DESTDIR ?=
B := build

CLANG ?= clang
CC ?= gcc

# The flags of a Debian package, so that `make deb` need not compile the programs again.
CFLAGS ?= -g -O2 -fstack-protector-strong -Wformat -Werror=format-security -Wdate-time -D_FORTIFY_SOURCE=2
LDFLAGS ?= -Wl,-z,relro -Wl,-z,now
DAEMON_LIBS := -pthread -lcap-ng -lbpf -lmnl -lsystemd -ljansson -lyaml -lssl -lcrypto -lmicrohttpd -lcpg -lquorum -lvotequorum -lcorosync_common
VERSION := 0.1.0
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Werror -MMD -MP -I. -I$B -ffile-prefix-map=$(CURDIR)=. \
	-DSIPXDP_VERSION='"$(VERSION)"' $(CFLAGS)
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -I. -Wall -Wextra -Werror -MMD -MP
SAN_CFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_CFLAGS = -std=gnu11 -D_GNU_SOURCE= -I. -O1 -g1 -MMD -MP -fno-sanitize-recover=undefined
FUZZ_SANITIZERS = -fsanitize=fuzzer,address,undefined

Q := $(if $(V),,@)
# A target that runs make uses all processors, unless -j limits them.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
say = @$(if $(V),:,printf '  %-8s %s\n' $(1) $(2))

CORE := $(wildcard core/*/*.c)
DAEMON := $(wildcard ctl/daemon/*.c ctl/daemon/*/*.c)
CLI := $(wildcard ctl/cli/*.c)
MAPS := $(wildcard ctl/maps/*.c) # what the pinned maps tell, with a daemon and without
PINS := ctl/maps/pin_directory.c ctl/maps/old_map.c
LOADER := $(wildcard loader/*.c)
BPF := $(wildcard bpf/*.bpf.c)
TEST_BPF := $(wildcard tests/prog/*.bpf.c)
UNIT := $(wildcard tests/unit/test_*.c)
PROG := $(wildcard tests/prog/test_*.c)
FUZZ := $(wildcard tests/fuzz/fuzz_*.c)
TOOLS := $(wildcard tests/tools/*.c)
MAKERS := tests/prog/frame.c tests/prog/sip_message.c tests/prog/sip_rows.c # of test input
GUEST := $B/tests/kernels/verified $B/tests/kernels/seen.bpf.o $B/tests/lib/pass.bpf.o
BENCH_BPF := $(wildcard tests/bench/*.bpf.c)

obj = $(patsubst %.c,$B/%.o,$(1))
san = $(patsubst %.c,$B/san/%.o,$(1))
fuzzed = $(patsubst %.c,$B/fuzz/%.o,$(1))
skel = $(patsubst %.bpf.c,$B/%.skel.h,$(1))

REFERENCE := $(wildcard tools/reference/*.c) # makes the lists of docs/reference/ and man/
USAGE := $(wildcard ctl/*/usage.c loader/usage.c) ctl/cli/arguments.c

PROGRAMS := $B/sipxdp-loader $B/sipxdpd $B/sipxdp-ctl
UNIT_BIN := $(patsubst tests/unit/%.c,$B/tests/unit/%,$(UNIT))
PROG_BIN := $(patsubst tests/prog/%.c,$B/tests/prog/%,$(PROG))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$B/tests/fuzz/%,$(FUZZ))
GROUP := $(wildcard core/group/*.c)
LATER_BIN := $(addprefix $B/tests/later/sipxdpd-,2 3) # by GROUP_VERSION
TOOL_BIN := $(patsubst tests/tools/%.c,$B/tests/tools/%,$(TOOLS))
BENCH_BIN := $(addprefix $B/tests/bench/,bench control live sender plain_forwarder watch)

.PHONY: all help packages docs check test tests test-kernels test-all soak demo fuzz benches bench bench-net bench-control bench-group install uninstall deb clean format check-format
.SECONDARY:

all: $(PROGRAMS) $B/tools/reference/reference ## build the programs (default)

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

packages: ## install missing Debian packages (packages.txt)
	$(Q)tests/lib/install-packages packages.txt >&2

# --- the programs in the kernel

$B/%.bpf.o: %.bpf.c
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$B/%.skel.h: $B/%.bpf.o
	$(Q)bpftool gen skeleton $< name $(notdir $*)_bpf > $@.tmp && mv $@.tmp $@

# --- user space

# Contains the flags of the objects. If they change, make compiles every object again.
FLAGS := $(strip $(CC) $(CFLAGS) $(LDFLAGS))
ifneq ($(file < $B/flags),$(FLAGS))
.PHONY: $B/flags
endif
$B/flags:
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(FLAGS)' > $@

$B/%.o: %.c $B/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

$B/san/%.o: CFLAGS := -O1 -g1
$B/san/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(SAN_CFLAGS) -c $< -o $@

$B/fuzz/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(subst fuzzer,fuzzer-no-link,$(FUZZ_SANITIZERS)) -c $< -o $@

# A program takes from an archive only what it uses: with the sanitizers, each object makes links and starts slower.
$B/san/shared.a: $(call san,$(CORE) $(MAKERS) $(filter-out $(UNIT),$(wildcard tests/unit/*.c)))
$B/fuzz/core.a: $(call fuzzed,$(CORE))
$B/san/shared.a $B/fuzz/core.a:
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(call obj,$(LOADER) $(CLI)): $(call skel,$(BPF))

$B/sipxdp-loader: $(call obj,$(LOADER) $(CORE) $(PINS))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ -lxdp -lbpf -lmnl -ljansson -lyaml

$B/ctl/daemon/observe/observe_page.o: ctl/daemon/observe/page.html

$B/sipxdpd: $(call obj,$(DAEMON) $(CORE) $(MAPS))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(DAEMON_LIBS)

$B/sipxdp-ctl: $(call obj,$(CLI) $(CORE) $(MAPS))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ -lbpf -ljansson -lyaml -lncursesw -ltinfo

# --- documentation: lists of keys, counters, commands and options, generated from the tables in the source

$B/tools/reference/reference: $(call obj,$(REFERENCE) $(USAGE) $(CORE))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ -ljansson -lyaml

docs: $B/tools/reference/reference ## update the generated lists in docs/ and man/
	$(Q)$< $(wildcard docs/reference/*.md man/*) docs/kernels.md

# --- tests

# Much of the build is the optimization of code that runs once.
$(call san,$(UNIT)) $(call obj,$(PROG)): CFLAGS := -O0 -g1

$(UNIT_BIN): $B/tests/unit/%: $B/san/tests/unit/%.o $B/san/shared.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -o $@ -lcriterion -lyaml -ljansson

$(call obj,$(PROG) tests/prog/pair.c): $(call skel,$(BPF) $(TEST_BPF))

$(PROG_BIN): $B/tests/prog/%: $B/tests/prog/%.o $(call obj,$(CORE) tests/unit/sip_slow.c $(filter-out $(PROG),$(wildcard tests/prog/*.c)))
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(filter-out %.bpf.o,$^) -o $@ -lcriterion -lbpf -lyaml -ljansson

$(TOOL_BIN): $B/tests/tools/%: $B/tests/tools/%.o $(call obj,$(CORE) $(MAPS) $(filter-out ctl/daemon/main.c,$(DAEMON)))
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ $(DAEMON_LIBS)

# The daemon as a later release, for tests of members with different releases.
$(LATER_BIN): $B/tests/later/sipxdpd-%: $(call obj,$(DAEMON) $(CORE) $(MAPS))
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -M%,$(ALL_CFLAGS)) -DGROUP_VERSION=$* $(LDFLAGS) $(GROUP) $(filter-out $(call obj,$(GROUP)),$^) -o $@ $(DAEMON_LIBS)

$B/tests/kernels/verified: $B/tests/kernels/verified.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ -lbpf

$(FUZZ_BIN): $B/tests/fuzz/%: $B/fuzz/tests/fuzz/%.o $B/fuzz/core.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_SANITIZERS) $^ -o $@ -lyaml -ljansson

tests: all $B/deb/built $(UNIT_BIN) $(PROG_BIN) $(TOOL_BIN) $(LATER_BIN) $(FUZZ_BIN) $(GUEST) ## build every test without running it

test: packages ## install missing packages, run every test on the kernel of this machine
	$(Q)$(MAKE) $(JOBS) --no-print-directory tests
	$(Q)tests/run

check: ## run the tests that need neither root nor a network namespace: format, documents, unit tests
	$(Q)$(MAKE) $(JOBS) --no-print-directory all $(UNIT_BIN)
	$(Q)tests/run format docs/ unit/

test-kernels: packages ## run tests on Debian's other kernels and with systemd, in QEMU
	$(Q)$(MAKE) $(JOBS) --no-print-directory tests
	$(Q)tests/run kernels

test-all: packages ## make test, then make test-kernels, with one result
	$(Q)$(MAKE) $(JOBS) --no-print-directory tests
	$(Q)tests/run --all

soak: packages ## run random operations during calls (SOAK="--minutes 60 --seed 7", "--help": more)
	$(Q)$(MAKE) $(JOBS) --no-print-directory all
	$(Q)tests/soak/run $(SOAK)

fuzz: $(FUZZ_BIN) ## run the fuzzers, FUZZ_SECONDS each (default 300)
	$(Q)tests/fuzz/run $(or $(FUZZ_SECONDS),300)

# --- benchmarks: each program has its own main file; all other files are shared. Standard output contains only the
# results.

$(BENCH_BIN): $B/tests/bench/%: $B/tests/bench/%.o $(call obj,$(CORE) tests/prog/frame.c \
		$(addprefix tests/bench/,corpus.c measure.c messages.c network.c report.c rows.c subject.c targets.c))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ -lbpf -lyaml -ljansson

benches: $(BENCH_BIN) $(patsubst %.c,$B/%.o,$(BPF) $(BENCH_BPF))

bench: packages ## measure the cost of a packet: a table and the targets (BENCH="--json", "--help": more)
	$(Q)$(MAKE) $(JOBS) --no-print-directory benches >&2
	$(Q)$B/tests/bench/bench $(BENCH)

bench-net: packages ## measure frames per second on veth, Kamailio's time for the same work, and floods
	$(Q)$(MAKE) $(JOBS) --no-print-directory benches all $B/tests/tools/flood >&2
	$(Q)tests/bench/net
	$(Q)tests/bench/net-guard

bench-control: packages ## measure the control plane: tables, attach, reload (BENCH=--json)
	$(Q)$(MAKE) $(JOBS) --no-print-directory benches all >&2
	$(Q)$B/tests/bench/control $(BENCH)
	$(Q)tests/bench/control-plane $(BENCH)

bench-group: packages ## measure a group of eight balancers with 4,000 backends (five minutes)
	$(Q)$(MAKE) $(JOBS) --no-print-directory all >&2
	$(Q)tests/bench/group

demo: packages ## show real calls through the balancer in a lab of namespaces
	$(Q)$(MAKE) $(JOBS) --no-print-directory all
	$(Q)tests/demo

check-format: ## check the format of every source file (.clang-format)
	$(Q)git ls-files '*.c' '*.h' | grep -v vmlinux.h | xargs clang-format --dry-run --Werror

format: ## format every source file (.clang-format)
	$(Q)git ls-files -co --exclude-standard '*.c' '*.h' | grep -v vmlinux.h | xargs clang-format -i

# --- installation

SBINDIR := $(DESTDIR)$(PREFIX)/sbin
UNITDIR ?= $(PREFIX)/lib/systemd/system
DOCDIR := $(DESTDIR)$(PREFIX)/share/doc/sipxdp
MANDIR := $(DESTDIR)$(PREFIX)/share/man
UNITS := $(notdir $(wildcard systemd/*.service))
SYSUSERS := $(DESTDIR)$(PREFIX)/lib/sysusers.d/sipxdp.conf
TMPFILES := $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/sipxdp.conf
COMPLETIONS := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
MANUAL := $(notdir $(wildcard man/*))
DOCS := README.md CHANGES.md $(wildcard docs/*.md docs/*/*.md yaml-examples/*.yaml monitoring/*)

install: all ## install into $(DESTDIR)$(PREFIX)
	$(Q)install -D -m 755 -t $(SBINDIR) $(PROGRAMS)
	$(Q)install -d $(DESTDIR)$(UNITDIR)
	$(Q)for unit in $(UNITS); do \
		sed 's|@PREFIX@|$(PREFIX)|g' systemd/$$unit > $(DESTDIR)$(UNITDIR)/$$unit && \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$unit || exit; \
	done
	$(Q)install -D -m 644 systemd/sysusers.conf $(SYSUSERS)
	$(Q)install -D -m 644 systemd/tmpfiles.conf $(TMPFILES)
	$(Q)install -D -m 644 -t $(COMPLETIONS) completions/sipxdp
	$(Q)for program in $(notdir $(PROGRAMS)); do ln -sf sipxdp $(COMPLETIONS)/$$program || exit; done
	$(Q)for file in $(DOCS); do install -D -m 644 $$file $(DOCDIR)/$$file || exit; done
	$(Q)for page in $(MANUAL); do install -D -m 644 -t $(MANDIR)/man$${page##*.} man/$$page || exit; done

uninstall: ## remove the installed files; /etc and running programs stay
	$(Q)rm -f $(addprefix $(SBINDIR)/,$(notdir $(PROGRAMS))) $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS)) $(SYSUSERS) $(TMPFILES)
	$(Q)rm -f $(foreach page,$(MANUAL),$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(page))
	$(Q)rm -f $(addprefix $(COMPLETIONS)/,sipxdp $(notdir $(PROGRAMS)))
	$(Q)rm -rf $(DOCDIR)

# Debian packages, from a copy of the sources, because a package build writes into its tree and beside it. The copy has the
# compiled files, too; the package build compiles what is missing, is older than its source, or has other flags.
DEB := $B/deb
DEB_SOURCES := $(shell git ls-files -co --exclude-standard -- . ':!tests' 2> /dev/null)
DEB_BUILT = $B/flags $(foreach directory,bpf core ctl loader tools,$B/$(directory)) $(PROGRAMS)

deb: $(DEB)/built ## build the Debian packages in build/deb/
	$(Q)ls $(DEB)/*.deb

$(DEB)/built: $(wildcard $(DEB_SOURCES)) | all
	$(call say,DEB,$(@D))
	$(Q)rm -rf $(@D)
	$(Q)mkdir -p $(@D)/source/build
	$(Q)tar -cf - $^ | tar -xf - -C $(@D)/source
	$(Q)tar -cf - -C $B $(DEB_BUILT:$B/%=%) | tar -xf - -C $(@D)/source/build
	$(Q)cd $(@D)/source && dpkg-buildpackage -us -uc -b --no-pre-clean > ../build.log 2>&1 || { tail -n 40 ../build.log; exit 1; }
	$(Q)rm -rf $(@D)/source
	$(Q)touch $@

clean: ## remove build/
	$(Q)rm -rf $B

# The systems of the tests contain files like invoke-rc.d.
-include $(shell find $B \( -path $B/debian -o -path '$B/kernels/work.*' \) -prune -o -type f -name '*.d' -print 2>/dev/null)
