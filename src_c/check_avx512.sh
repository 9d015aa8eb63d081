#!/bin/sh
# check_avx512.sh PROGRAM: runs a static program under Bochs, on an emulated CPU with AVX-512 and a
# Linux of its own, and prints what it printed; fails if it failed. For machines without AVX-512
# (qemu has none either). Takes some minutes.
#
# Needs Debian's bochs bochsbios vgabios isolinux syslinux-common xorriso busybox-static cpio and,
# for the guest's kernel, a package list that apt-get can download from.
set -eu
program=$(realpath "$1")
work=$(mktemp -d)
trap 'kill $bochs 2>/dev/null || true; rm -rf "$work"' EXIT
bochs=
cd "$work"

package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ { print $2; exit }')
apt-get download -qq "$package"
dpkg -x "$package"_*.deb kernel

mkdir -p root/bin root/proc iso/isolinux
cp /bin/busybox root/bin/
cp "$program" root/bin/program
cat > root/init <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo "flags: $(/bin/busybox grep -m1 ^flags /proc/cpuinfo | /bin/busybox grep -o 'avx[^ ]*' | /bin/busybox tr '\n' ' ')"
/bin/program
echo "exit code $?"
/bin/busybox poweroff -f
INIT
chmod +x root/init
(cd root && find . | cpio --quiet -o -H newc | gzip -1) > iso/initrd.gz
cp kernel/boot/vmlinuz-* iso/vmlinuz
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 iso/isolinux/
# Bochs describes the state that xsavec and xsaves keep in a way that Linux does not accept.
cat > iso/isolinux/isolinux.cfg <<'BOOT'
DEFAULT linux
LABEL linux
  KERNEL /vmlinuz
  INITRD /initrd.gz
  APPEND console=ttyS0,115200 nokaslr mitigations=off rdinit=/init panic=1 nowatchdog tsc=reliable clearcpuid=xsavec,xsaves
BOOT
xorriso -as mkisofs -quiet -o boot.iso -b isolinux/isolinux.bin -c isolinux/boot.cat \
    -no-emul-boot -boot-load-size 4 -boot-info-table iso

cat > bochsrc <<'BOCHS'
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
megs: 512
cpu: model=corei7_skylake_x, count=1, ips=50000000, reset_on_triple_fault=0
clock: sync=none
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=serial.txt
log: bochs.log
panic: action=fatal
speaker: enabled=0
sound: waveoutdrv=dummy
BOCHS
echo c > debugger
bochs-bin -q -f bochsrc -rc debugger < /dev/null > bochs.out 2>&1 &
bochs=$!
while kill -0 $bochs 2>/dev/null && ! grep -qE '^exit code|Kernel panic' serial.txt 2>/dev/null; do
    sleep 2
done
tr -d '\r' < serial.txt | sed -n '/^flags:/,$p'
grep -q '^exit code 0' serial.txt
