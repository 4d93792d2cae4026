# Environment of every command of this project; source it from the root of the checkout.
# shellcheck shell=bash

# Settings of a real cluster in the caller's shell must never reach a test: the modules read them.
for variable in $(compgen -e); do
    case $variable in
        KUBECONFIG | K8S_AUTH_* | KAFKA_* | BG_* | ANSIBLE_* | MOLECULE_* | PYTEST_ADDOPTS | PYTHONPATH)
            unset "$variable"
            ;;
    esac
done
unset variable

export PATH="$PWD/.venv/bin:$PATH"
export ANSIBLE_COLLECTIONS_PATH="$PWD/.cache/collections"
# Ansible refuses to run without UTF-8, and a bare machine has no locale set.
export LC_ALL=C.UTF-8
