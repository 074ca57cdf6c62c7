"""A Ray cluster of two nodes in this machine, on 127.0.0.1 alone, until stdin ends.

Prints one line of JSON: its address, and the process of each node's raylet.
"""

import json
import sys

from ray.cluster_utils import Cluster


def main() -> None:
    cpus = float(sys.argv[1])
    settings = {"num_cpus": cpus, "object_store_memory": 100 << 20, "node_ip_address": "127.0.0.1"}
    cluster = Cluster(initialize_head=True, head_node_args={**settings, "include_dashboard": False})
    nodes = [cluster.head_node, cluster.add_node(**settings)]
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
