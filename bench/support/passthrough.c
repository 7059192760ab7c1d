/*
 * A read-only pass-through file system on libfuse's low-level API: what FUSE costs when the file
 * system itself does nothing. Like libfuse's example passthrough_ll, but as little of it as the
 * random reads need. An inode number is the address of a node; nodes are never freed.
 *
 * Usage: passthrough SOURCE MOUNT_DIR [-o OPTIONS]
 */
#define FUSE_USE_VERSION 34
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct node {
	char *path; /* "." for the root, else relative to the source */
	struct node *next;
};

static struct node root = {".", NULL};
static struct node *nodes = &root;
static pthread_mutex_t nodes_lock = PTHREAD_MUTEX_INITIALIZER;
static int source_fd;
static const double FOREVER = 86400;

static struct node *node_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &root : (struct node *)(uintptr_t)ino;
}

/* The same path is the same node. Walks a list: the trees are small, and the kernel remembers. */
static struct node *node_at(const char *path)
{
	struct node *node;
	pthread_mutex_lock(&nodes_lock);
	for (node = nodes; node != NULL; node = node->next)
		if (strcmp(node->path, path) == 0)
			break;
	if (node == NULL) {
		node = malloc(sizeof *node);
		node->path = strdup(path);
		node->next = nodes;
		nodes = node;
	}
	pthread_mutex_unlock(&nodes_lock);
	return node;
}

static void ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.attr_timeout = FOREVER, .entry_timeout = FOREVER};
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", node_of(parent)->path, name);
	if (fstatat(source_fd, path, &entry.attr, AT_SYMLINK_NOFOLLOW) != 0) {
		fuse_reply_err(req, errno);
		return;
	}
	entry.ino = (uintptr_t)node_at(path);
	fuse_reply_entry(req, &entry);
}

static void ll_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct stat attr;
	(void)info;
	if (fstatat(source_fd, node_of(ino)->path, &attr, AT_SYMLINK_NOFOLLOW) != 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &attr, FOREVER);
}

static void ll_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(source_fd, node_of(ino)->path, target, sizeof target - 1);
	if (length < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	target[length] = 0;
	fuse_reply_readlink(req, target);
}

static void ll_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	int fd = openat(source_fd, node_of(ino)->path, O_RDONLY);
	if (fd < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	info->fh = fd;
	info->keep_cache = 1;
	fuse_reply_open(req, info);
}

static void ll_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	close(info->fh);
	fuse_reply_err(req, 0);
}

static void ll_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(size);
	(void)ino;
	buffer.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	buffer.buf[0].fd = info->fh;
	buffer.buf[0].pos = offset;
	fuse_reply_data(req, &buffer, FUSE_BUF_SPLICE_MOVE);
}

static void ll_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	int fd = openat(source_fd, node_of(ino)->path, O_RDONLY | O_DIRECTORY);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	char *buffer = malloc(size);
	size_t used = 0;
	struct dirent *entry;
	off_t at = 0;
	(void)info;
	if (directory == NULL || buffer == NULL) {
		fuse_reply_err(req, directory == NULL ? errno : ENOMEM);
	} else {
		while ((entry = readdir(directory)) != NULL) {
			struct stat attr = {.st_ino = entry->d_ino, .st_mode = entry->d_type << 12};
			if (at++ < offset)
				continue;
			size_t length = fuse_add_direntry(req, buffer + used, size - used,
							  entry->d_name, &attr, at);
			if (length > size - used)
				break;
			used += length;
		}
		fuse_reply_buf(req, buffer, used);
	}
	free(buffer);
	if (directory != NULL)
		closedir(directory);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = ll_lookup,
	.getattr = ll_getattr,
	.readlink = ll_readlink,
	.open = ll_open,
	.release = ll_release,
	.read = ll_read,
	.readdir = ll_readdir,
};

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_loop_config config = {.clone_fd = 0, .max_idle_threads = 10};
	struct fuse_session *session;
	int status = 1;
	if (argc < 3) {
		fprintf(stderr, "usage: passthrough SOURCE MOUNT_DIR [-o OPTIONS]\n");
		return 2;
	}
	source_fd = open(argv[1], O_RDONLY | O_DIRECTORY);
	if (source_fd < 0) {
		perror(argv[1]);
		return 1;
	}
	fuse_opt_add_arg(&args, argv[0]);
	for (int at = 3; at < argc; at++)
		fuse_opt_add_arg(&args, argv[at]);
	session = fuse_session_new(&args, &operations, sizeof operations, NULL);
	if (session == NULL)
		return 1;
	if (fuse_set_signal_handlers(session) == 0 && fuse_session_mount(session, argv[2]) == 0) {
		puts("mounted");
		fflush(stdout);
		status = fuse_session_loop_mt(session, &config);
		fuse_session_unmount(session);
	}
	fuse_remove_signal_handlers(session);
	fuse_session_destroy(session);
	return status == 0 ? 0 : 1;
}
