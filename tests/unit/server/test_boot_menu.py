"""One menu, three languages: what pxelinux, iPXE, GRUB and kexec are told, and PXE files that operators wrote."""

import msgspec

from bootos.process import run
from bootos.server.netboot.entry import BootEntry, BootMenu, build_bootos_menu
from bootos.server.netboot.grub import render_grub
from bootos.server.netboot.ipxe import render_ipxe
from bootos.server.netboot.kexec import render_kexec
from bootos.server.netboot.pxelinux import parse_pxelinux, render_pxelinux

MENU = build_bootos_menu("http://10.0.0.1:8083", "DEVELOPER=1")
WORDS = "console=tty0 selinux=0 biosdevname=0 SERVER_ADDR=http://10.0.0.1:8083 DEVELOPER=1"

IPXE = f"""\
#!ipxe
# Written by the BootOS server; edit pxelinux.cfg/default or the PXE template.
set dollar:hex 24
chain --autofree ipxe/01-${{netX/mac:hexhyp}} || goto start
:start
:entry0
imgfree
kernel http://10.0.0.1:8083/bootos/vmlinuz initrd=initrd.img {WORDS} BOOTIF=01-${{netX/mac:hexhyp}} || goto failed
initrd --name initrd.img http://10.0.0.1:8083/bootos/initrd.img || goto failed
boot || goto failed
:failed
echo That did not load; trying again in 10 seconds
sleep 10
goto start
"""

GRUB = f"""\
# Written by the BootOS server; edit pxelinux.cfg/default or the PXE template.
if regexp --set 1:a --set 2:b --set 3:c --set 4:d --set 5:e --set 6:f '^(..):(..):(..):(..):(..):(..)' "$net_default_mac"; then
  set mac=01-$a-$b-$c-$d-$e-$f
  set bootif=BOOTIF=$mac
fi
if [ -n "$mac" -a -s "$prefix/$mac" ]; then
  source "$prefix/$mac"
else
set timeout=3
set default=bootos
menuentry BootOS --id bootos {{
  echo 'Loading BootOS ...'
  if ! linux (http,10.0.0.1:8083)/bootos/vmlinuz {WORDS} $bootif; then
    if ! linux /bootos/vmlinuz {WORDS} $bootif; then
      echo 'That did not load; the machine restarts in 30 seconds'
      sleep 30
      reboot
    fi
  fi
  if ! initrd (http,10.0.0.1:8083)/bootos/initrd.img; then
    if ! initrd /bootos/initrd.img; then
      echo 'That did not load; the machine restarts in 30 seconds'
      sleep 30
      reboot
    fi
  fi
}}
fi
"""  # noqa: E501

INSTALLER = """\
default install
timeout 50
append quiet

# the installer of a machine
label install
  menu label ^Install Debian
  kernel debian/linux
  append initrd=debian/initrd.gz,debian/more.gz url=http://10.0.0.1/preseed?sn=SN001;x=${y} note='two words'
  ipappend 2
label disk
  menu label Local disk
  localboot 0
label windows
  kernel memdisk
  append iso
text help
label not-one
endtext
"""

INSTALLER_MENU = BootMenu(
    default="install",
    timeout_ds=50,
    entries=(
        BootEntry(
            name="install",
            title="Install Debian",
            kernel="debian/linux",
            initrds=("debian/initrd.gz", "debian/more.gz"),
            arguments="url=http://10.0.0.1/preseed?sn=SN001;x=${y} note='two words'",
            bootif=True,
        ),
        BootEntry(name="disk", title="Local disk", kind="local"),
        BootEntry(name="windows", title="windows", kind="unusable", problem="memdisk runs on pxelinux only"),
    ),
)


def test_ipxe_gets_a_script_that_asks_for_the_machines_own_first() -> None:
    assert render_ipxe(MENU) == IPXE


def test_grub_gets_a_configuration_that_asks_for_the_machines_own_first() -> None:
    assert render_grub(MENU) == GRUB


def test_a_rendered_menu_is_read_back_as_it_was() -> None:
    assert parse_pxelinux(render_pxelinux(MENU)) == MENU
    local = BootEntry(name="disk", title="Local disk", kind="local")
    both = msgspec.structs.replace(MENU, entries=(*MENU.entries, local), default="disk")
    assert parse_pxelinux(render_pxelinux(both)) == both


def test_an_operators_pxe_file_is_understood() -> None:
    assert parse_pxelinux(INSTALLER.replace("\n", "\r\n")) == INSTALLER_MENU
    assert INSTALLER_MENU.problems == ("windows: memdisk runs on pxelinux only",)


def test_a_machines_own_script_for_ipxe_has_its_menu_and_asks_for_no_other() -> None:
    text = render_ipxe(INSTALLER_MENU, per_machine=True)
    assert "chain" not in text
    assert "item entry0 Install Debian\nitem entry1 Local disk\nitem entry2 windows\n" in text
    assert "choose --timeout 5000 --default entry0 chosen && goto ${chosen} || goto entry0\n" in text
    assert "kernel tftp://${next-server}/debian/linux initrd=initrd.img initrd=initrd1.img url=" in text
    assert ";x=${dollar}{y} note=" in text
    assert "initrd --name initrd1.img tftp://${next-server}/debian/more.gz || goto failed\n" in text
    assert "iseq ${platform} efi && exit ||\nsanboot --no-describe --drive 0x80 || goto failed\n" in text
    assert "echo windows: memdisk runs on pxelinux only\n" in text


def test_a_machines_own_configuration_for_grub_quotes_what_grub_would_read() -> None:
    text = render_grub(INSTALLER_MENU, per_machine=True)
    assert "source" not in text
    assert "set timeout=5\nset default=install\nmenuentry 'Install Debian' --id install {\n" in text
    assert (
        "linux /debian/linux 'url=http://10.0.0.1/preseed?sn=SN001;x=${y}' 'note='\\''two' 'words'\\''' $bootif;"
        in text
    )
    assert "initrd /debian/initrd.gz /debian/more.gz;" in text
    assert "menuentry 'Local disk' --id disk {\n  exit\n}\n" in text
    assert "echo 'windows: memdisk runs on pxelinux only'\n" in text


def test_grub_reads_the_files_of_other_hosts_and_ports() -> None:
    def lines(kernel: str) -> str:
        entry = BootEntry(name="x", title="x", kernel=kernel)
        return render_grub(BootMenu(entries=(entry,), default="x"), per_machine=True)

    assert "linux (http,h)/k;" in lines("http://h:80/k")
    assert "linux (http,h:81)/k;" in lines("http://h:81/k")
    assert "linux (tftp,h)/d/k;" in lines("tftp://h/d/k")
    assert "linux (tftp,10.0.0.9)/k;" in lines("10.0.0.9::k")
    assert "https" not in lines("https://h/k") and "linux /k;" in lines("https://h/k")


def test_a_file_without_labels_names_its_kernel() -> None:
    menu = parse_pxelinux("DEFAULT vmlinuz root=/dev/sda1\nAPPEND quiet\nSYSAPPEND 0x3\n")
    (entry,) = menu.entries
    assert (entry.kernel, entry.arguments, entry.bootif) == ("vmlinuz", "quiet root=/dev/sda1", True)


def test_chain_c32_to_a_disk_is_the_local_disk() -> None:
    menu = parse_pxelinux("LABEL a\nCOM32 chain.c32\nAPPEND hd0 0\n")
    assert (menu.default, menu.entries[0].kind) == ("a", "local")


def test_nonsense_is_said_and_not_raised() -> None:
    assert parse_pxelinux("").problems == ("empty: there is no LABEL",)
    assert parse_pxelinux("LABEL a\nAPPEND x\n").problems == ("a: there is no KERNEL",)
    assert "echo 'empty: there is no LABEL'" in render_grub(parse_pxelinux(""), per_machine=True)


def test_the_kexec_script_is_a_script_for_the_default_entry() -> None:
    script = render_kexec(MENU, "http://10.0.0.1:8083")
    assert run(["sh", "-n"], input=script).returncode == 0
    assert "kernel=http://10.0.0.1:8083/bootos/vmlinuz\n" in script
    assert f"words='{WORDS}'\n" in script
    assert "host=10.0.0.1\n" in script


def test_the_kexec_script_says_when_there_is_nothing_for_it_to_load() -> None:
    menu = parse_pxelinux("LABEL a\nLOCALBOOT 0\n")
    done = run(["sh"], input=render_kexec(menu, "http://a"), check=False)
    assert done.returncode == 1
    assert "boots no kernel" in done.stderr
