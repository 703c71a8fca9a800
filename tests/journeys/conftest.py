from tests.faults.conftest import broker, server_environment, web_server, worker_process

__all__ = ["broker", "server_environment", "web_server", "worker_process"]
