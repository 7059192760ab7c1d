/*
 * A pass-through file system on libfuse's low-level API: what FUSE costs when the file system
 * itself does nothing. Like libfuse's example passthrough_ll, but it agrees with the kernel on the
 * same things as pbkfs does: see fuse/connection.ts. What is read goes from the file to the kernel
 * by splice, without being copied here, and each request may have a thread of its own.
 *
 * An inode number is the address of a node, which lives until the kernel forgets it.
 *
 * Usage: passthrough SOURCE MOUNT_DIR [-o OPTIONS]
 */
#define FUSE_USE_VERSION 34
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The largest read or write in one request, as in fuse/connection.ts. */
#define TRANSFER_BYTES (1 << 20)
#define BUCKETS 65536

struct node {
	int path_fd; /* opened with O_PATH */
	int data_fd; /* -1 until the first read or write */
	dev_t dev;
	ino_t ino;
	uint64_t lookups;
	struct node *next;
};

static struct node root = {.data_fd = -1};
static struct node *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const double FOREVER = 86400;

static struct node *node_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &root : (struct node *)(uintptr_t)ino;
}

/* The way to open what an O_PATH descriptor stands for, also after its name is gone. */
struct proc_path {
	char text[32];
};

static struct proc_path proc_path(const struct node *node)
{
	struct proc_path path;
	snprintf(path.text, sizeof path.text, "/proc/self/fd/%d", node->path_fd);
	return path;
}

static void reply_status(fuse_req_t req, int result)
{
	fuse_reply_err(req, result == 0 ? 0 : errno);
}

/* The kernel opens nothing with us, so a descriptor belongs to the node. -1: errno tells. */
static int data_fd(struct node *node)
{
	int fd = __atomic_load_n(&node->data_fd, __ATOMIC_ACQUIRE);
	if (fd >= 0)
		return fd;
	pthread_mutex_lock(&lock);
	if (node->data_fd < 0) {
		struct proc_path path = proc_path(node);
		fd = open(path.text, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = open(path.text, O_RDONLY | O_CLOEXEC);
		__atomic_store_n(&node->data_fd, fd, __ATOMIC_RELEASE);
	}
	fd = node->data_fd;
	pthread_mutex_unlock(&lock);
	return fd;
}

/* Takes over `fd`. A file with two names is one node. */
static struct node *node_at(int fd, const struct stat *attr)
{
	struct node **bucket = &buckets[attr->st_ino % BUCKETS];
	struct node *node;
	pthread_mutex_lock(&lock);
	for (node = *bucket; node != NULL; node = node->next)
		if (node->ino == attr->st_ino && node->dev == attr->st_dev)
			break;
	if (node != NULL) {
		close(fd);
	} else {
		node = calloc(1, sizeof *node);
		node->path_fd = fd;
		node->data_fd = -1;
		node->dev = attr->st_dev;
		node->ino = attr->st_ino;
		node->next = *bucket;
		*bucket = node;
	}
	node->lookups++;
	pthread_mutex_unlock(&lock);
	return node;
}

static void forget(struct node *node, uint64_t count)
{
	struct node **place;
	pthread_mutex_lock(&lock);
	node->lookups -= count;
	if (node != &root && node->lookups == 0) {
		for (place = &buckets[node->ino % BUCKETS]; *place != node;)
			place = &(*place)->next;
		*place = node->next;
		close(node->path_fd);
		if (node->data_fd >= 0)
			close(node->data_fd);
		free(node);
	}
	pthread_mutex_unlock(&lock);
}

/* 0, or an errno. */
static int find(fuse_ino_t parent, const char *name, struct fuse_entry_param *entry)
{
	int fd = openat(node_of(parent)->path_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	memset(entry, 0, sizeof *entry);
	entry->attr_timeout = entry->entry_timeout = FOREVER;
	if (fd < 0)
		return errno;
	if (fstatat(fd, "", &entry->attr, AT_EMPTY_PATH) != 0) {
		close(fd);
		return errno;
	}
	entry->ino = (uintptr_t)node_at(fd, &entry->attr);
	return 0;
}

static void reply_entry(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	int error = find(parent, name, &entry);
	if (error != 0)
		fuse_reply_err(req, error);
	else
		fuse_reply_entry(req, &entry);
}

static void ll_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	/* Splicing requests as well gains nothing. */
	conn->want = conn->capable &
		     (FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
		      FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_EXPLICIT_INVAL_DATA |
		      FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_NO_OPEN_SUPPORT |
		      FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_SPLICE_WRITE);
	conn->max_write = TRANSFER_BYTES;
	conn->max_read = TRANSFER_BYTES;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	conn->time_gran = 1;
}

static void ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	int error = find(parent, name, &entry);
	if (error != 0 && error != ENOENT)
		fuse_reply_err(req, error);
	else
		fuse_reply_entry(req, &entry); /* Inode 0: nobody has to ask again. */
}

static void ll_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	forget(node_of(ino), count);
	fuse_reply_none(req);
}

static void ll_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t at = 0; at < count; at++)
		forget(node_of(forgets[at].ino), forgets[at].nlookup);
	fuse_reply_none(req);
}

static void ll_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct stat attr;
	(void)info;
	if (fstatat(node_of(ino)->path_fd, "", &attr, AT_EMPTY_PATH) != 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &attr, FOREVER);
}

static int set_times(struct node *node, const struct stat *attr, int which)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
	if (which & FUSE_SET_ATTR_ATIME)
		times[0] = attr->st_atim;
	if (which & FUSE_SET_ATTR_MTIME)
		times[1] = attr->st_mtim;
	if (which & FUSE_SET_ATTR_ATIME_NOW)
		times[0].tv_nsec = UTIME_NOW;
	if (which & FUSE_SET_ATTR_MTIME_NOW)
		times[1].tv_nsec = UTIME_NOW;
	return utimensat(node->path_fd, "", times, AT_EMPTY_PATH);
}

static void ll_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int which,
		       struct fuse_file_info *info)
{
	const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
			  FUSE_SET_ATTR_MTIME_NOW;
	struct node *node = node_of(ino);
	int result = 0;
	if (which & FUSE_SET_ATTR_MODE)
		result = chmod(proc_path(node).text, attr->st_mode);
	if (result == 0 && which & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
		uid_t uid = which & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
		gid_t gid = which & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;
		result = fchownat(node->path_fd, "", uid, gid, AT_EMPTY_PATH);
	}
	if (result == 0 && which & FUSE_SET_ATTR_SIZE)
		result = ftruncate(data_fd(node), attr->st_size);
	if (result == 0 && which & times)
		result = set_times(node, attr, which);
	if (result != 0)
		fuse_reply_err(req, errno);
	else
		ll_getattr(req, ino, info);
}

static void ll_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(node_of(ino)->path_fd, "", target, sizeof target - 1);
	if (length < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	target[length] = 0;
	fuse_reply_readlink(req, target);
}

/* Answers for something new, which belongs to who asked for it. */
static void reply_made(fuse_req_t req, fuse_ino_t parent, const char *name, int result)
{
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	int directory = node_of(parent)->path_fd;
	if (result == 0 && geteuid() == 0)
		result = fchownat(directory, name, caller->uid, caller->gid, AT_SYMLINK_NOFOLLOW);
	if (result != 0)
		fuse_reply_err(req, errno);
	else
		reply_entry(req, parent, name);
}

static void ll_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	reply_made(req, parent, name, mknodat(node_of(parent)->path_fd, name, mode, rdev));
}

static void ll_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	reply_made(req, parent, name, mkdirat(node_of(parent)->path_fd, name, mode));
}

static void ll_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	reply_made(req, parent, name, symlinkat(target, node_of(parent)->path_fd, name));
}

static void ll_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *info)
{
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	struct fuse_entry_param entry;
	int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
	int fd = openat(node_of(parent)->path_fd, name, flags, mode);
	int error = fd < 0 ? errno : 0;
	if (fd >= 0 && geteuid() == 0 && fchown(fd, caller->uid, caller->gid) != 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	if (error == 0)
		error = find(parent, name, &entry);
	info->keep_cache = 1;
	if (error != 0)
		fuse_reply_err(req, error);
	else
		fuse_reply_create(req, &entry, info);
}

static void ll_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_status(req, unlinkat(node_of(parent)->path_fd, name, 0));
}

static void ll_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_status(req, unlinkat(node_of(parent)->path_fd, name, AT_REMOVEDIR));
}

static void ll_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		      const char *new_name, unsigned int flags)
{
	int from = node_of(parent)->path_fd, to = node_of(new_parent)->path_fd;
	reply_status(req, renameat2(from, name, to, new_name, flags));
}

static void ll_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	int to = node_of(new_parent)->path_fd;
	struct proc_path from = proc_path(node_of(ino));
	if (linkat(AT_FDCWD, from.text, to, new_name, AT_SYMLINK_FOLLOW) != 0)
		fuse_reply_err(req, errno);
	else
		reply_entry(req, new_parent, new_name);
}

/* To the kernel that means: do not ask again, opening always succeeds, and keep what is cached. */
static void ll_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	(void)info;
	fuse_reply_err(req, ENOSYS);
}

static void ll_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(size);
	int fd = data_fd(node_of(ino));
	(void)info;
	if (fd < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	buffer.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	buffer.buf[0].fd = fd;
	buffer.buf[0].pos = offset;
	fuse_reply_data(req, &buffer, FUSE_BUF_SPLICE_MOVE);
}

static void ll_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *from, off_t offset,
			 struct fuse_file_info *info)
{
	struct fuse_bufvec to = FUSE_BUFVEC_INIT(fuse_buf_size(from));
	ssize_t written;
	(void)info;
	to.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	to.buf[0].fd = data_fd(node_of(ino));
	to.buf[0].pos = offset;
	written = to.buf[0].fd < 0 ? -errno : fuse_buf_copy(&to, from, 0);
	if (written < 0)
		fuse_reply_err(req, -written);
	else
		fuse_reply_write(req, written);
}

static void ll_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info)
{
	int fd = data_fd(node_of(ino));
	(void)info;
	reply_status(req, fd < 0 ? -1 : data_only ? fdatasync(fd) : fsync(fd));
}

static void ll_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
			 struct fuse_file_info *info)
{
	int fd = data_fd(node_of(ino));
	(void)info;
	reply_status(req, fd < 0 ? -1 : fallocate(fd, mode, offset, length));
}

static void ll_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs status;
	(void)ino;
	if (fstatvfs(root.path_fd, &status) != 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &status);
}

static void ll_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	int fd = open(proc_path(node_of(ino)).text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	char *buffer = malloc(size);
	size_t used = 0;
	struct dirent *entry;
	(void)info;
	if (directory == NULL || buffer == NULL) {
		fuse_reply_err(req, directory == NULL ? errno : ENOMEM);
	} else {
		if (offset > 0)
			seekdir(directory, offset);
		while ((entry = readdir(directory)) != NULL) {
			struct stat attr = {.st_ino = entry->d_ino, .st_mode = entry->d_type << 12};
			size_t length = fuse_add_direntry(req, buffer + used, size - used,
							  entry->d_name, &attr, entry->d_off);
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

static void ll_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info)
{
	int fd = open(proc_path(node_of(ino)).text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)data_only;
	(void)info;
	reply_status(req, fd < 0 ? -1 : fsync(fd));
	if (fd >= 0)
		close(fd);
}

static const struct fuse_lowlevel_ops operations = {
	.init = ll_init,
	.lookup = ll_lookup,
	.forget = ll_forget,
	.forget_multi = ll_forget_multi,
	.getattr = ll_getattr,
	.setattr = ll_setattr,
	.readlink = ll_readlink,
	.mknod = ll_mknod,
	.mkdir = ll_mkdir,
	.symlink = ll_symlink,
	.create = ll_create,
	.unlink = ll_unlink,
	.rmdir = ll_rmdir,
	.rename = ll_rename,
	.link = ll_link,
	.open = ll_open,
	.opendir = ll_open,
	.read = ll_read,
	.write_buf = ll_write_buf,
	.fsync = ll_fsync,
	.fallocate = ll_fallocate,
	.statfs = ll_statfs,
	.readdir = ll_readdir,
	.fsyncdir = ll_fsyncdir,
};

/* Each node has a descriptor, and those in use have two. */
static void allow_many_files(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

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
	umask(0);
	allow_many_files();
	root.path_fd = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root.path_fd < 0) {
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
