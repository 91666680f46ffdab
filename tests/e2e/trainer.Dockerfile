# The client image as a trainer's: torch and JAX come from a volume at /opt/torch, because they are 5 GB. Yours would rather
# be built the other way round: FROM an image with torch, RUN pip install of the wheel.
ARG BASE=kube-rendezvous/client
FROM ${BASE}
USER 0
RUN printf '%s\n' '#!/opt/kube-rendezvous/bin/python' 'from torch.distributed.run import main' 'main()' \
        > /opt/kube-rendezvous/bin/torchrun && chmod 755 /opt/kube-rendezvous/bin/torchrun && \
    python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "z.pth").write_text("/opt/torch\n")'
USER 65532:65532
ENTRYPOINT []
CMD ["torchrun", "--help"]
